package slow_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// within fails the test if f takes longer than the limit, which is far below what it
// would take if something waited for a client that says nothing.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > limit {
		t.Errorf("%s took %v", what, took)
	}
}

// Each would take half a second if it were held until the server gives the rest up.
func TestAnEarlyResponseIsNotHeldBackForTheRestOfTheUpload(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	for _, query := range []string{"", "&flush"} { // with a length, and without
		within(t, 10*time.Second, "40 responses", func() {
			for range 40 {
				c := rawclient.Dial(t, s.Addr)
				c.Begin("POST", "/early?status=401&n=5"+query, "Content-Length: 1000")
				if body := c.Want("POST", http.StatusUnauthorized); len(body) != 5 {
					t.Errorf("%d bytes came", len(body))
				}
			}
		})
	}
	e2etest.WantCalm(t, s)
}

func TestUploadsThatStallAfterTheirResponsesTakeNoWorker(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil, e2etest.LanesVariable+"=1")
	within(t, 10*time.Second, "a request beside 40 early responses", func() {
		for range 40 {
			stalled := rawclient.Dial(t, s.Addr)
			stalled.Begin("POST", "/early?status=401&n=5", "Content-Length: 1000")
		}
		e2etest.WantStatus(t, e2etest.Get(t, s, "/beside"), http.StatusOK)
	})
	e2etest.WantCalm(t, s)
}

func TestWebSocketsWhoseClientsDoNotAnswerACloseTakeNoWorker(t *testing.T) {
	// Each would keep one of 4 lanes for 5 s.
	for n, limit := range map[int]time.Duration{4: 4 * time.Second, 24: 20 * time.Second, 60: 30 * time.Second} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s, _ := e2etest.StartBoth(t, nil, e2etest.LanesVariable+"=4")
			within(t, limit, "a request beside them", func() {
				for range n {
					leaveUnanswered(t, s)
				}
				e2etest.WantStatus(t, e2etest.Get(t, s, "/beside"), http.StatusOK)
			})
			e2etest.WantCalm(t, s)
		})
	}
}

// leaveUnanswered opens a WebSocket that the worker closes, and does not answer.
func leaveUnanswered(t *testing.T, s *harness.Server) {
	t.Helper()
	w := s.MustOpenWebSocket(t, "/socket-bye", nil)
	if frame := w.Hear(); frame.Header.OpCode != ws.OpClose {
		t.Errorf("the worker says %v", frame.Header.OpCode)
	}
}

// They keep the server waiting, and so the streams that they have are for others.
func TestWebSocketsWhoseClientsDoNotAnswerACloseGiveUpTheirStreams(t *testing.T) {
	const streams = 8
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.NumStreams = streams })
	for range streams {
		leaveUnanswered(t, s)
	}
	within(t, 4*time.Second, "a request when they have all streams", func() {
		e2etest.WantStatus(t, e2etest.Get(t, s, "/beside"), http.StatusOK)
	})
	e2etest.WantCalm(t, s)
}

// A client that has read that its upload was refused stops it; one whose stream is reset
// before that may take the upload for broken.
func TestAnUploadOverHTTP2IsNotResetAtOnceWhenItIsRefused(t *testing.T) {
	for _, path := range []string{"/early?status=413&n=5", "/nowhere"} {
		t.Run(path, func(t *testing.T) {
			s, _ := e2etest.StartBoth(t, func(c *server.Config) {
				c.Routes = []server.Route{{Prefix: "/early", Pool: "default"}}
			})
			gap := time.Duration(0)
			for try := 0; try < 5 && gap < 30*time.Millisecond; try++ { // a busy client may read both at once
				gap = refusedUpload(t, s, path)
			}
			if gap < 30*time.Millisecond {
				t.Errorf("reset %v after its headers", gap)
			}
		})
	}
}

// refusedUpload begins an upload that is refused, and returns how long after the headers of the
// response its stream is reset.
func refusedUpload(t *testing.T, s *harness.Server, path string) time.Duration {
	t.Helper()
	c := rawclient.DialHTTP2(t, s.Addr, nil)
	harness.Check(t, c.Begin(1, false, rawclient.Fields("POST", path, "content-length", "100000000")...))
	harness.Check(t, c.Frames.WriteData(1, false, make([]byte, 1000)))
	var head time.Time
	for {
		frame, err := c.Frames.ReadFrame()
		harness.Check(t, err)
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			head = time.Now()
		case *http2.RSTStreamFrame:
			if frame.ErrCode != http2.ErrCodeNo || head.IsZero() {
				t.Errorf("reset with %v, headers at %v", frame.ErrCode, head)
			}
			return time.Since(head)
		}
	}
}

// The worker does not wait for what the server does for slow clients of HTTP/2.
func TestRefusedUploadsOverHTTP2TakeNoWorker(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil, e2etest.LanesVariable+"=1")
	// Each would take 100 ms of the only lane.
	within(t, 12*time.Second, "requests beside 200 refused uploads", func() {
		for range 20 {
			c := rawclient.DialHTTP2(t, s.Addr, nil)
			for i := range uint32(10) {
				harness.Check(t, c.Begin(2*i+1, false, rawclient.Fields("POST", "/early?status=413&n=5")...))
			}
			e2etest.WantStatus(t, e2etest.Get(t, s, "/beside"), http.StatusOK)
		}
	})
	e2etest.WantCalm(t, s)
}
