package http_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// evil is what an attacker puts where one party sees a body and another the next
// request.
const evil = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

func TestAnEarlyResponseToABigUploadIsReadWhileItUploads(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	e2etest.Together(t, []int{0, 100, 1000000}, func(t *testing.T, n int) {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", fmt.Sprintf("/early?status=409&n=%d", n), "Content-Length: 10000000")
		c.Send(strings.Repeat("x", 1000))
		response := c.Response("POST") // before the rest of the upload
		if response.StatusCode != http.StatusConflict {
			t.Errorf("%s", response.Status)
		}
		if got := harness.ReadAll(t, response.Body); len(got) != n {
			t.Errorf("%d bytes of %d", len(got), n)
		}
		c.WantClosed()
	})
	e2etest.WantCalm(t, s)
}

func TestAClientThatUploadsOnGetsTheEarlyResponse(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	for range 10 {
		client := harness.NewClient(t, 1, nil) // a response before a chunked upload has ended cannot say "close"
		response, err := client.Post(s.URL+"/early?status=409&n=1000", "", io.LimitReader(&e2etest.Endless{}, 3<<20))
		harness.Check(t, err) // a reset that ate the response would be one
		if body := e2etest.WantStatus(t, response, http.StatusConflict); len(body) != 1000 {
			t.Errorf("%d bytes came", len(body))
		}
	}
	e2etest.WantCalm(t, s)
}

func TestSmallLeftoversOfAnUploadCostNoConnection(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	leftover := strings.Repeat(evil, 100)
	for _, query := range []string{"", "&flush", "&read=1", "&flush&read=1000"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/early?status=200&n=5"+query, "Transfer-Encoding: chunked")
		c.Chunk(leftover)
		c.Finish()
		if body := c.Want("POST", http.StatusOK); len(body) != 5 {
			t.Errorf("%d bytes came", len(body))
		}
		e2etest.WantOpen(c)
	}
	if got := worker.Requests(t, s, "/smuggled"); len(got) != 0 {
		t.Errorf("leftovers became requests: %q", got)
	}
	e2etest.WantCalm(t, s)
}

func TestLargeLeftoversOfAnUploadAreNeverARequest(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	leftover := strings.Repeat(evil, 1<<20/len(evil))
	e2etest.Together(t, []string{"", "&flush", "&read=1000"}, func(t *testing.T, query string) {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/early?status=200&n=5"+query, "Transfer-Encoding: chunked")
		_, _ = io.WriteString(c.Conn, "100000\r\n"+leftover) // the server may close meanwhile
		if body := c.Want("POST", http.StatusOK); len(body) != 5 {
			t.Errorf("%d bytes came", len(body))
		}
		c.WantClosed()
	})
	if got := worker.Requests(t, s, "/smuggled"); len(got) != 0 {
		t.Errorf("leftovers became requests: %q", got)
	}
	e2etest.WantCalm(t, s)
}

// The rest of the upload may come later than the server is ready to accept.
func TestAnUploadThatStallsAfterItsResponseIsCutOff(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	e2etest.Together(t, []string{"Content-Length: 1000", "Content-Length: 100000", "Transfer-Encoding: chunked"},
		func(t *testing.T, framing string) {
			c := rawclient.Dial(t, s.Addr)
			c.Begin("POST", "/early?status=200&n=5", framing)
			if body := c.Want("POST", http.StatusOK); len(body) != 5 {
				t.Errorf("%d bytes came", len(body))
			}
			c.WantClosed()
		})
	e2etest.WantCalm(t, s)
}

// A worker that has answered and still reads gets the whole upload: the end of
// the response comes with the end of the upload.
func TestAnUploadGoesOnAfterTheResponseWhileTheWorkerReads(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/early?id=on&status=200&n=5&flush&read=10000000", "Content-Length: 3000000")
	response := c.Response("POST")
	c.Expect(response.Body, strings.Repeat("\x00", 5))
	c.Send(strings.Repeat("x", 3000000))
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%d bytes more", len(rest))
	}
	worker.AwaitSaid(t, "early on: 3000000 bytes, EOF")
	e2etest.WantOpen(c)
	e2etest.WantCalm(t, s)
}

// An error that needs no worker is an early response, too.
func TestAnErrorIsAnsweredThoughTheUploadStalls(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil) // no worker
	e2etest.Together(t, []string{"Content-Length: 1000", "Content-Length: 1000000", "Transfer-Encoding: chunked"},
		func(t *testing.T, framing string) {
			c := rawclient.Dial(t, s.Addr)
			c.Begin("POST", "/", framing)
			c.Want("POST", http.StatusServiceUnavailable)
			c.WantClosed()
		})
	e2etest.WantCalm(t, s)
}

func TestTheConnectionOutlivesAnErrorToASmallUpload(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil) // no worker
	c := rawclient.Dial(t, s.Addr)
	for range 3 {
		c.Begin("POST", "/", "Content-Length: 1000")
		c.Send(strings.Repeat("x", 1000))
		c.Want("POST", http.StatusServiceUnavailable)
	}
	e2etest.WantCalm(t, s)
}

// If 100 Continue was never sent, nothing of the upload will come: there is nothing to await.
func TestAnEarlyResponseToAClientThatExpectsIsNotHeldBack(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	start := time.Now()
	for range 40 { // each would wait for half a second
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/early?status=409&n=1000", "Content-Length: 1000", "Expect: 100-continue")
		if body := c.Want("POST", http.StatusConflict); len(body) != 1000 {
			t.Errorf("%d bytes came", len(body))
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("40 responses took %v", took)
	}
	e2etest.WantCalm(t, s)
}
