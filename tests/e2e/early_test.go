package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// evil is what an attacker puts where one party sees a body and another the next
// request.
const evil = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

// wantCalm fails the test if the server's log tells of a panic.
func wantCalm(t *testing.T, s *harness.Server) {
	t.Helper()
	if log := s.Log.String(); strings.Contains(log, "panic") {
		t.Errorf("the server's log tells of a panic:\n%s", log)
	}
}

func TestAnEarlyResponseToABigUploadIsReadWhileItUploads(t *testing.T) {
	s, _ := startBoth(t, nil)
	together(t, []int{0, 100, 1000000}, func(t *testing.T, n int) {
		c := dial(t, s.Addr)
		c.begin("POST", fmt.Sprintf("/early?status=409&n=%d", n), "Content-Length: 10000000")
		c.send(strings.Repeat("x", 1000))
		response := c.response("POST") // before the rest of the upload
		if response.StatusCode != http.StatusConflict {
			t.Errorf("%s", response.Status)
		}
		if got := harness.ReadAll(t, response.Body); len(got) != n {
			t.Errorf("%d bytes of %d", len(got), n)
		}
		c.wantClosed()
	})
	wantCalm(t, s)
}

func TestAClientThatUploadsOnGetsTheEarlyResponse(t *testing.T) {
	s, _ := startBoth(t, nil)
	for range 10 {
		response, err := s.Client.Post(s.URL+"/early?status=409&n=1000", "", io.LimitReader(&endless{}, 3<<20))
		harness.Check(t, err) // a reset that ate the response would be one
		if body := wantStatus(t, response, http.StatusConflict); len(body) != 1000 {
			t.Errorf("%d bytes came", len(body))
		}
	}
	wantCalm(t, s)
}

type endless struct{}

func (*endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSmallLeftoversOfAnUploadCostNoConnection(t *testing.T) {
	s, worker := startBoth(t, nil)
	leftover := strings.Repeat(evil, 100)
	for _, query := range []string{"", "&flush", "&read=1", "&flush&read=1000"} {
		c := dial(t, s.Addr)
		c.begin("POST", "/early?status=200&n=5"+query, "Transfer-Encoding: chunked")
		c.chunk(leftover)
		c.finish()
		if body := c.want("POST", http.StatusOK); len(body) != 5 {
			t.Errorf("%d bytes came", len(body))
		}
		c.wantOpen()
	}
	if got := worker.requests(t, s, "/smuggled"); len(got) != 0 {
		t.Errorf("leftovers became requests: %q", got)
	}
	wantCalm(t, s)
}

func TestLargeLeftoversOfAnUploadAreNeverARequest(t *testing.T) {
	s, worker := startBoth(t, nil)
	leftover := strings.Repeat(evil, 1<<20/len(evil))
	together(t, []string{"", "&flush", "&read=1000"}, func(t *testing.T, query string) {
		c := dial(t, s.Addr)
		c.begin("POST", "/early?status=200&n=5"+query, "Transfer-Encoding: chunked")
		_, _ = io.WriteString(c.conn, "100000\r\n"+leftover) // the server may close meanwhile
		if body := c.want("POST", http.StatusOK); len(body) != 5 {
			t.Errorf("%d bytes came", len(body))
		}
		c.wantClosed()
	})
	if got := worker.requests(t, s, "/smuggled"); len(got) != 0 {
		t.Errorf("leftovers became requests: %q", got)
	}
	wantCalm(t, s)
}

// The rest of the upload may come later than the server is ready to wait for.
func TestAnUploadThatStallsAfterItsResponseIsCutOff(t *testing.T) {
	s, _ := startBoth(t, nil)
	together(t, []string{"Content-Length: 1000", "Content-Length: 100000", "Transfer-Encoding: chunked"}, func(t *testing.T, framing string) {
		c := dial(t, s.Addr)
		c.begin("POST", "/early?status=200&n=5", framing)
		if body := c.want("POST", http.StatusOK); len(body) != 5 {
			t.Errorf("%d bytes came", len(body))
		}
		c.wantClosed()
	})
	wantCalm(t, s)
}

// A worker that has answered and still reads gets the whole upload: the end of
// the response comes with the end of the upload.
func TestAnUploadGoesOnAfterTheResponseWhileTheWorkerReads(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/early?id=on&status=200&n=5&flush&read=10000000", "Content-Length: 3000000")
	response := c.response("POST")
	c.expect(response.Body, strings.Repeat("\x00", 5))
	c.send(strings.Repeat("x", 3000000))
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%d bytes more", len(rest))
	}
	worker.awaitSaid(t, "early on: 3000000 bytes, EOF")
	c.wantOpen()
	wantCalm(t, s)
}

// An error that needs no worker is an early response, too.
func TestAnErrorIsAnsweredThoughTheUploadStalls(t *testing.T) {
	s := harness.Start(t, nil) // no worker
	together(t, []string{"Content-Length: 1000", "Content-Length: 1000000", "Transfer-Encoding: chunked"}, func(t *testing.T, framing string) {
		c := dial(t, s.Addr)
		c.begin("POST", "/", framing)
		c.want("POST", http.StatusServiceUnavailable)
		c.wantClosed()
	})
	wantCalm(t, s)
}

func TestTheConnectionOutlivesAnErrorToASmallUpload(t *testing.T) {
	s := harness.Start(t, nil) // no worker
	c := dial(t, s.Addr)
	for range 3 {
		c.begin("POST", "/", "Content-Length: 1000")
		c.send(strings.Repeat("x", 1000))
		c.want("POST", http.StatusServiceUnavailable)
	}
	wantCalm(t, s)
}

// With 100 Continue never sent nothing of the upload will come, so nothing is
// worth waiting for.
func TestAnEarlyResponseToAClientThatExpectsIsNotHeldBack(t *testing.T) {
	s, _ := startBoth(t, nil)
	start := time.Now()
	for range 20 {
		c := dial(t, s.Addr)
		c.begin("POST", "/early?status=409&n=1000", "Content-Length: 1000", "Expect: 100-continue")
		if body := c.want("POST", http.StatusConflict); len(body) != 1000 {
			t.Errorf("%d bytes came", len(body))
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("20 responses took %v", took)
	}
	wantCalm(t, s)
}
