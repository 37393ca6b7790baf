package http_test

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
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestEveryDoorLeadsToTheSameWorker(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		request := v.Request("POST", "/seen?a=%20b", strings.NewReader("body"))
		request.Header.Set("X-Kept", "one")
		request.Header.Set("X-Forwarded-For", "6.6.6.6")
		request.Header.Set("X_Forwarded_For", "6.6.6.6")
		request.Header.Set("Forwarded", "for=6.6.6.6")
		request.Header.Set("X-Request-Id", "mine")
		request.Header.Set("Client-Cert", ":bWluZQ==:")
		response := v.Do(request)
		got := e2etest.Decode[e2etest.Sighting](v, e2etest.WantStatus(v, response, http.StatusOK))
		scheme := map[bool]string{true: "https", false: "http"}[v.Secure]
		proto := map[int]string{1: "HTTP/1.1", 2: "HTTP/2.0", 3: "HTTP/3.0"}[v.Major]
		if got.Method != "POST" || got.Path != "/seen?a=%20b" || got.Host != request.URL.Host || got.Proto != proto ||
			got.ContentLength != 4 || got.Body != "body" {
			v.Errorf("the worker saw %+v", got)
		}
		want := map[string]string{
			"X-Kept": "one", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": scheme,
			"X-Forwarded-Host": request.URL.Host, "Content-Length": "4",
			"Forwarded":    `for=127.0.0.1;host="` + request.URL.Host + `";proto=` + scheme,
			"Via":          map[int]string{1: "1.1", 2: "2", 3: "3"}[v.Major] + " upload-response",
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
		if alternative := response.Header.Get("Alt-Svc"); (alternative != "") != (v.Secure && v.Major < 3) {
			v.Errorf("Alt-Svc: %q", alternative)
		}
	})
}

func TestALongBodyThatWasNotGivenATypeGetsTheOneThatItLooksLike(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		response := v.Get("/reply?length=5000&flush")
		if body := e2etest.WantStatus(v, response, http.StatusOK); len(body) != 5000 ||
			response.Header.Get("Content-Type") != "application/octet-stream" {
			v.Errorf("%d bytes of type %q", len(body), response.Header["Content-Type"])
		}
	})
}

func TestBigUploadsArriveWholeThroughEachDoor(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	sum := sha256.Sum256(make([]byte, size))
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		got := e2etest.Decode[e2etest.Digested](v,
			e2etest.WantStatus(v, v.Post("/digest", e2etest.BytesOf(size)), http.StatusOK))
		if got.Bytes != size || got.SHA256 != hex.EncodeToString(sum[:]) {
			v.Errorf("the worker got %+v", got)
		}
	})
}

func TestWhatGoesInComesOutThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, n := range []int{0, 1, 4095, 4096, 4097, 65536, 1000000, 3 << 20} {
			for _, path := range []string{"/echo", "/copy"} {
				got := e2etest.WantStatus(v, v.Post(path, strings.NewReader(e2etest.Text(n))), http.StatusOK)
				if got != e2etest.Text(n) {
					v.Errorf("%s of %d bytes: %d others came back", path, n, len(got))
				}
			}
		}
	})
}

func TestAResponseStreamsWhileItsUploadGoesOn(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		c := v.Converse("/echo", "first ")
		c.Hear("first ")
		for i := range 5 {
			piece := fmt.Sprintf("piece %d ", i)
			c.Say(piece)
			c.Hear(piece)
		}
		if rest := c.Finish(); rest != "" {
			v.Errorf("%q more", rest)
		}
	})
}

func TestEventsAreSentAtOnceThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		c := v.Converse("/events", "")
		if kind := c.Response.Header.Get("Content-Type"); kind != "text/event-stream" {
			v.Errorf("content type %q", kind)
		}
		for i := 1; i < 4; i++ {
			c.Hear(fmt.Sprintf("data: %d\n\n", i))
			c.Say("next\n")
		}
		c.Hear("data: 4\n\n")
		c.Finish()
	})
}

func TestTrailersPassBothWaysThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		request := v.Request("POST", "/trailers", e2etest.BytesOf(5000))
		request.Trailer = http.Header{"X-Sum": nil, "X-Forwarded-For": nil}
		request.Body = &e2etest.Trailing{ReadCloser: request.Body, AtEnd: func() {
			request.Trailer.Set("X-Sum", "abc")
			request.Trailer.Set("X-Forwarded-For", "6.6.6.6")
		}}
		response := v.Do(request)
		if n := len(harness.ReadAll(v, response.Body)); n != 5000 {
			v.Errorf("%d bytes came back", n)
		}
		if got := response.Trailer; len(got) != 1 || got.Get("Got-X-Sum") != "abc" {
			v.Errorf("trailers: %v", got)
		}
	})
}

func TestResponsesWithoutABodyHaveNoneThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
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
			response := v.Do(v.Request(c.method, "/reply?"+c.query, nil))
			if body := e2etest.WantStatus(v, response, c.status); body != "" {
				v.Errorf("%s %s: %d bytes of body", c.method, c.query, len(body))
			}
			if v.Major == 2 && c.status == 304 {
				c.length = "" // the client would miss a body
			}
			if length := response.Header.Get("Content-Length"); length != c.length {
				v.Errorf("%s %s: Content-Length %q, want %q", c.method, c.query, length, c.length)
			}
		}
		if got := e2etest.WantStatus(v, v.Get("/after"), http.StatusOK); got != "GET /after" {
			v.Errorf("the next response is %q", got)
		}
	})
}

func TestAResetOfContentHasNoBodyThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, query := range []string{"", "&length=10", "&length=100000&flush", "&field=Content-Length:5&body=hello"} {
			response := v.Get("/reply?status=205" + query)
			if body := e2etest.WantStatus(v, response, http.StatusResetContent); body != "" {
				v.Errorf("%s: %d bytes of body", query, len(body))
			}
			if length := response.Header.Get("Content-Length"); length != "0" {
				v.Errorf("%s: Content-Length %q, want 0", query, length)
			}
		}
		if got := e2etest.WantStatus(v, v.Get("/after"), http.StatusOK); got != "GET /after" {
			v.Errorf("the next response is %q", got)
		}
	})
}

func TestRequestsWithoutABodyHaveNoneThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, method := range []string{"GET", "DELETE", "OPTIONS"} {
			got := e2etest.Decode[e2etest.Sighting](v,
				e2etest.WantStatus(v, v.Do(v.Request(method, "/seen", nil)), http.StatusOK))
			if got.Method != method || got.ContentLength != 0 || got.Body != "" {
				v.Errorf("%s: the worker saw %+v", method, got)
			}
		}
		got := e2etest.Decode[e2etest.Sighting](v,
			e2etest.WantStatus(v, v.Do(v.Request("DELETE", "/seen", e2etest.BytesOf(5))), http.StatusOK))
		if len(got.Body) != 5 {
			v.Errorf("the worker saw a body of %d bytes, want 5", len(got.Body))
		}
	})
}

func TestLimitsHoldThroughEachDoor(t *testing.T) {
	t.Parallel()
	limit := func(c *server.Config) { c.BodyLimit, c.HeaderLimit = 100000, 16<<10 }
	e2etest.ThroughEachDoor(t, limit, func(v *e2etest.Visitor) {
		request := v.Request("GET", "/", nil)
		request.Header.Set("X-Big", e2etest.Text(17000))
		e2etest.WantStatus(v, v.Do(request), http.StatusRequestHeaderFieldsTooLarge)
		declared := v.Request("POST", "/upload?id="+v.ID("declared"), strings.NewReader(e2etest.Text(100001)))
		e2etest.WantStatus(v, v.Do(declared), http.StatusRequestEntityTooLarge)
		e2etest.WantStatus(v, v.Post("/upload?id="+v.ID("streamed"), e2etest.BytesOf(100001)),
			http.StatusRequestEntityTooLarge)
		if strings.Contains(v.App.Output(), "upload "+v.ID("declared")) {
			v.Error("the worker saw a request that was too large from the start")
		}
		got := e2etest.WantStatus(v, v.Post("/upload", e2etest.BytesOf(100000)), http.StatusOK)
		if got != "100000 bytes" {
			v.Errorf("%q", got)
		}
	})
}

func TestAClientThatAsksTooOftenIs429ThroughEachDoor(t *testing.T) {
	t.Parallel()
	for _, d := range e2etest.Doors {
		t.Run(d.Label, func(t *testing.T) {
			s, worker := e2etest.StartBoth(t, func(c *server.Config) { c.RequestRate, c.RequestBurst = 1, 3 })
			v := e2etest.NewVisitor(t, d, s, worker, s.Secure(t))
			statuses := map[int]int{}
			for range 30 {
				response := v.Get("/often")
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
	t.Parallel()
	s, worker := e2etest.StartBoth(t, func(c *server.Config) { c.ClientTimeout, c.MinBodyRate = time.Second, 1<<20 })
	secure := s.Secure(t)
	e2etest.Together(t, []e2etest.Door{e2etest.Doors[0], e2etest.Doors[4]}, func(t *testing.T, d e2etest.Door) {
		t.Run("alone", func(t *testing.T) {
			t.Parallel()
			response := e2etest.NewVisitor(t, d, s, worker, secure).Post("/upload", &trickle{pieces: 1 << 20})
			e2etest.WantStatus(t, response, http.StatusRequestTimeout)
		})
		t.Run("in a conversation", func(t *testing.T) {
			t.Parallel()
			response := e2etest.NewVisitor(t, d, s, worker, secure).Post("/echo", &trickle{pieces: 150})
			if got := e2etest.WantStatus(t, response, http.StatusOK); len(got) != 150 {
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
