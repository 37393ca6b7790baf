package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestEveryDoorLeadsToTheSameWorker(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		request := v.request("POST", "/seen?a=%20b", strings.NewReader("body"))
		request.Header.Set("X-Kept", "one")
		request.Header.Set("X-Forwarded-For", "6.6.6.6")
		request.Header.Set("X_Forwarded_For", "6.6.6.6")
		request.Header.Set("Forwarded", "for=6.6.6.6")
		request.Header.Set("X-Request-Id", "mine")
		request.Header.Set("Client-Cert", ":bWluZQ==:")
		response := v.do(request)
		got := decode[sighting](v, wantStatus(v, response, http.StatusOK))
		scheme := map[bool]string{true: "https", false: "http"}[v.secure]
		proto := map[int]string{1: "HTTP/1.1", 2: "HTTP/2.0", 3: "HTTP/3.0"}[v.major]
		if got.Method != "POST" || got.Path != "/seen?a=%20b" || got.Host != request.URL.Host || got.Proto != proto || got.ContentLength != 4 || got.Body != "body" {
			v.Errorf("the worker saw %+v", got)
		}
		want := map[string]string{
			"X-Kept": "one", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": scheme, "X-Forwarded-Host": request.URL.Host, "Content-Length": "4",
			"Forwarded": `for=127.0.0.1;host="` + request.URL.Host + `";proto=` + scheme, "Via": map[int]string{1: "1.1", 2: "2", 3: "3"}[v.major] + " upload-response",
			"X-Request-Id": response.Header.Get("X-Request-Id"), "X_forwarded_for": "", "Client-Cert": "",
		}
		for name, value := range want {
			if values := strings.Join(got.Header[name], "|"); values != value {
				v.Errorf("the worker saw %s: %q, want %q", name, values, value)
			}
		}
		if id := response.Header.Get("X-Request-Id"); len(id) != 32 {
			v.Errorf("request id %q", id)
		}
		if alternative := response.Header.Get("Alt-Svc"); (alternative != "") != (v.secure && v.major < 3) {
			v.Errorf("Alt-Svc: %q", alternative)
		}
	})
}

func TestALongBodyThatWasNotGivenATypeGetsTheOneThatItLooksLike(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		response := v.get("/reply?length=5000&flush")
		if body := wantStatus(v, response, http.StatusOK); len(body) != 5000 || response.Header.Get("Content-Type") != "application/octet-stream" {
			v.Errorf("%d bytes of type %q", len(body), response.Header["Content-Type"])
		}
	})
}

func TestBigUploadsArriveWholeThroughEachDoor(t *testing.T) {
	const size = 20 << 20
	sum := sha256.Sum256(make([]byte, size))
	throughEachDoor(t, nil, func(v *visitor) {
		got := decode[digested](v, wantStatus(v, v.post("/digest", bytesOf(size)), http.StatusOK))
		if got.Bytes != size || got.SHA256 != hex.EncodeToString(sum[:]) {
			v.Errorf("the worker got %+v", got)
		}
	})
}

func TestWhatGoesInComesOutThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for _, n := range []int{0, 1, 4095, 4096, 4097, 65536, 1000000, 3 << 20} {
			for _, path := range []string{"/echo", "/copy"} {
				if got := wantStatus(v, v.post(path, strings.NewReader(text(n))), http.StatusOK); got != text(n) {
					v.Errorf("%s of %d bytes: %d others came back", path, n, len(got))
				}
			}
		}
	})
}

func TestAResponseStreamsWhileItsUploadGoesOn(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		c := v.converse("/echo", "first ")
		c.hear("first ")
		for i := range 5 {
			piece := fmt.Sprintf("piece %d ", i)
			c.say(piece)
			c.hear(piece)
		}
		if rest := c.finish(); rest != "" {
			v.Errorf("%q more", rest)
		}
	})
}

func TestEventsAreSentAtOnceThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		c := v.converse("/events", "")
		if kind := c.response.Header.Get("Content-Type"); kind != "text/event-stream" {
			v.Errorf("content type %q", kind)
		}
		for i := 1; i < 4; i++ {
			c.hear(fmt.Sprintf("data: %d\n\n", i))
			c.say("next\n")
		}
		c.hear("data: 4\n\n")
		c.finish()
	})
}

func TestTrailersPassBothWaysThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		request := v.request("POST", "/trailers", bytesOf(5000))
		request.Trailer = http.Header{"X-Sum": nil, "X-Forwarded-For": nil}
		request.Body = &trailing{ReadCloser: request.Body, at: func() {
			request.Trailer.Set("X-Sum", "abc")
			request.Trailer.Set("X-Forwarded-For", "6.6.6.6")
		}}
		response := v.do(request)
		if n := len(harness.ReadAll(v, response.Body)); n != 5000 {
			v.Errorf("%d bytes came back", n)
		}
		if got := response.Trailer; len(got) != 1 || got.Get("Got-X-Sum") != "abc" {
			v.Errorf("trailers: %v", got)
		}
	})
}

func TestResponsesWithoutABodyHaveNoneThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for _, c := range []struct {
			method, query string
			status        int
			length        string // Content-Length that the client sees
		}{
			{"GET", "status=204&length=10", 204, ""},
			{"GET", "status=304&length=10", 304, ""},
			{"GET", "status=304&field=Content-Length:10", 304, "10"},
			{"HEAD", "status=304&field=Content-Length:10", 304, "10"},
			{"GET", "status=204&field=Content-Length:10", 204, ""},
			{"HEAD", "status=200&field=Content-Length:10", 200, "10"},
			{"HEAD", "status=200&length=100000&flush", 200, ""},
			{"HEAD", "status=404&length=100000", 404, ""},
		} {
			response := v.do(v.request(c.method, "/reply?"+c.query, nil))
			if body := wantStatus(v, response, c.status); body != "" {
				v.Errorf("%s %s: %d bytes of body", c.method, c.query, len(body))
			}
			if v.major == 2 && c.status == 304 {
				c.length = "" // the client would miss a body
			}
			if length := response.Header.Get("Content-Length"); length != c.length {
				v.Errorf("%s %s: Content-Length %q, want %q", c.method, c.query, length, c.length)
			}
		}
		if got := wantStatus(v, v.get("/after"), http.StatusOK); got != "GET /after" {
			v.Errorf("the next response is %q", got)
		}
	})
}

func TestAResetOfContentHasNoBodyThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for _, query := range []string{"", "&length=10", "&length=100000&flush", "&field=Content-Length:5&body=hello"} {
			response := v.get("/reply?status=205" + query)
			if body := wantStatus(v, response, http.StatusResetContent); body != "" {
				v.Errorf("%s: %d bytes of body", query, len(body))
			}
			if length := response.Header.Get("Content-Length"); length != "0" {
				v.Errorf("%s: Content-Length %q, want 0", query, length)
			}
		}
		if got := wantStatus(v, v.get("/after"), http.StatusOK); got != "GET /after" {
			v.Errorf("the next response is %q", got)
		}
	})
}

func TestRequestsWithoutABodyHaveNoneThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for _, method := range []string{"GET", "DELETE", "OPTIONS"} {
			got := decode[sighting](v, wantStatus(v, v.do(v.request(method, "/seen", nil)), http.StatusOK))
			if got.Method != method || got.ContentLength != 0 || got.Body != "" {
				v.Errorf("%s: the worker saw %+v", method, got)
			}
		}
		got := decode[sighting](v, wantStatus(v, v.do(v.request("DELETE", "/seen", bytesOf(5))), http.StatusOK))
		if len(got.Body) != 5 {
			v.Errorf("the worker saw a body of %d bytes, want 5", len(got.Body))
		}
	})
}

func TestLimitsHoldThroughEachDoor(t *testing.T) {
	limit := func(c *server.Config) { c.BodyLimit, c.HeaderLimit = 100000, 16<<10 }
	throughEachDoor(t, limit, func(v *visitor) {
		request := v.request("GET", "/", nil)
		request.Header.Set("X-Big", text(17000))
		wantStatus(v, v.do(request), http.StatusRequestHeaderFieldsTooLarge)
		declared := v.request("POST", "/upload?id="+v.id("declared"), strings.NewReader(text(100001)))
		wantStatus(v, v.do(declared), http.StatusRequestEntityTooLarge)
		wantStatus(v, v.post("/upload?id="+v.id("streamed"), bytesOf(100001)), http.StatusRequestEntityTooLarge)
		if strings.Contains(v.app.Output(), "upload "+v.id("declared")) {
			v.Error("the worker saw a request that was too large from the start")
		}
		if got := wantStatus(v, v.post("/upload", bytesOf(100000)), http.StatusOK); got != "100000 bytes" {
			v.Errorf("%q", got)
		}
	})
}

func TestAClientThatAsksTooOftenIs429ThroughEachDoor(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			s, worker := startBoth(t, func(c *server.Config) { c.RequestRate, c.RequestBurst = 1, 3 })
			v := newVisitor(t, d, s, worker, s.Secure(t))
			statuses := map[int]int{}
			for range 30 {
				response := v.get("/often")
				statuses[response.StatusCode]++
				if response.StatusCode == http.StatusTooManyRequests && response.Header.Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
				harness.ReadAll(t, response.Body)
			}
			if statuses[200] < 3 || statuses[200]+statuses[429] != 30 || statuses[429] == 0 {
				t.Errorf("responses by status: %v", statuses)
			}
		})
	}
}

func TestAnUploadThatTricklesIsCutOffUnlessItsResponseHasBegun(t *testing.T) {
	s, worker := startBoth(t, func(c *server.Config) { c.ClientTimeout, c.MinBodyRate = time.Second, 1<<20 })
	secure := s.Secure(t)
	together(t, []door{doors[0], doors[4]}, func(t *testing.T, d door) {
		t.Run("alone", func(t *testing.T) {
			t.Parallel()
			response := newVisitor(t, d, s, worker, secure).post("/upload", &trickle{pieces: 1 << 20})
			wantStatus(t, response, http.StatusRequestTimeout)
		})
		t.Run("in a conversation", func(t *testing.T) {
			t.Parallel()
			response := newVisitor(t, d, s, worker, secure).post("/echo", &trickle{pieces: 150})
			if got := wantStatus(t, response, http.StatusOK); len(got) != 150 {
				t.Errorf("%d bytes came back", len(got))
			}
		})
	})
}

// trickle is a body of single bytes, none of which is late.
type trickle struct{ pieces int }

func (r *trickle) Read(p []byte) (int, error) {
	if r.pieces == 0 {
		return 0, io.EOF
	}
	r.pieces--
	time.Sleep(10 * time.Millisecond) // what a slow client does
	return copy(p, "x"), nil
}
