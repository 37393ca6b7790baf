package faults_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// bells are the settings of a C worker's bell.
var bells = []string{"UR_BELL=futex", "UR_BELL=eventfd"}

func impatientC(c *server.Config) { c.ResponseTimeout, c.StuckAfter = time.Second, server.Never }

func TestAStoppedCWorkerCostsATimeoutAndIsToldSoWhenItIsBack(t *testing.T) {
	for path, calls := range map[string][]string{
		"/stopped":         {"tail", "cancelled", "flush", "end"},
		"/stopped-written": {"tail", "cancelled", "flush", "end"}, // headers and body lie in memory, unpublished
	} {
		t.Run(path, func(t *testing.T) {
			s, stuck := startWithC(t, func(c *server.Config) {
				impatientC(c)
				c.NumStreams = 1 // a stream that is out of use is missed at once
			})
			s.StartWorker(t, "handler")
			client := rawclient.Dial(t, s.Addr)
			client.Begin("GET", "/c"+path)
			awaitSaid(t, stuck, "stops", 1)
			client.WantReply("GET", 504)
			if st := s.Router.Stats(); st.ActiveStreams != 1 || st.WorkerTimeouts != 1 || st.Links != 2 {
				t.Errorf("%d streams in use, %d timeouts, %d links; want 1, 1 and 2", st.ActiveStreams,
					st.WorkerTimeouts, st.Links)
			}
			client.Begin("GET", "/echo")
			harness.Eventually(t, "the next request to wait for the stream", func() bool {
				return s.Router.Stats().Waiting == 1
			})

			stuck.Continue()
			if r := client.WantReply("GET", 200); !strings.HasPrefix(r.Body, "GET by ") {
				t.Errorf("the next response on the connection is %q", r.Body)
			}
			awaitSaid(t, stuck, "over", 1)
			wantCancelled(t, stuck, calls)
			wantServes(t, s, stuck)
		})
	}
}

func wantCancelled(t testing.TB, p *harness.Process, calls []string) {
	t.Helper()
	for _, call := range calls {
		wantSaid(t, p, call+": ECANCELED")
	}
}

func TestACWorkerThatStopsInTheMiddleOfAResponseBreaksItOff(t *testing.T) {
	s, stuck := startWithC(t, impatientC)
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/c/stopped-headers")
	awaitSaid(t, stuck, "stops", 1)
	if body := client.WantBrokenReply("GET", 200); body != "early" {
		t.Errorf("the body is %q", body)
	}
	client.WantEnd()
	stuck.Continue()
	awaitSaid(t, stuck, "over", 1)
	wantCancelled(t, stuck, []string{"tail", "cancelled", "flush", "end"})
	awaitActive(t, s, 0)
	wantServes(t, s, stuck)
}

func TestACWorkerThatLeaksSlotsHoldsBackItsOwnClientOnly(t *testing.T) {
	s, p := startWithC(t, func(c *server.Config) {
		c.Memory, c.LinkMemory, c.ResponseTimeout, c.StuckAfter = 4<<20, 1<<19, 2*time.Second, server.Never
	})
	s.StartWorker(t, "handler")
	client := upload(t, s, "/c/leak")
	awaitSaid(t, p, "took /leak", 1)
	awaitStalled(t, s)
	wantGood(t, s)
	if timeouts := s.Router.Stats().WorkerTimeouts; timeouts != 0 {
		t.Error("another client had to wait for the end of the stalled upload")
	}
	client.WantReply("POST", 504)
	awaitSaid(t, p, "leaked: ECANCELED", 1)
	wantServes(t, s, p) // on another lane
	awaitActive(t, s, 1)
	p.Kill()
	awaitActive(t, s, 0)
}

func TestACWorkerThatKeepsMostOfTheStreamsIsEvictedAndToldWhy(t *testing.T) {
	s, p := startWithC(t, func(c *server.Config) {
		impatientC(c)
		c.NumStreams = 4
	})
	for range 3 {
		client := rawclient.Dial(t, s.Addr)
		client.Begin("GET", "/c/leak")
		client.WantReply("GET", 504)
	}
	harness.Eventually(t, "the eviction", func() bool { return s.Router.Stats().Evicted == 1 })
	awaitActive(t, s, 0)
	awaitSaid(t, p, "link: the server closed the link: it keeps 3 streams whose exchanges are over", 1)
	awaitSaid(t, p, "attached", 2)
	wantServes(t, s, p)
}

// A server that is gone is seen by workers that sleep, whatever they sleep on, and
// by those that have requests.
func TestCWorkersOfAKilledServerCancelWhatTheyHaveAndAttachToTheNextOne(t *testing.T) {
	program := cbuild.Program(t, "tests/faulty.c")
	for _, bell := range bells {
		t.Run(bell, func(t *testing.T) {
			socket := socketPath(t)
			first, s := startServer(t, socket)
			env := []string{harness.SocketVariable + "=" + socket, "UPLOAD_RESPONSE_POOL=default", bell}
			busy := harness.StartProgram(t, io.Discard, []string{program}, env...)
			client := rawclient.Dial(t, s.Addr)
			client.Begin("POST", "/hold", "Content-Length: 0")
			awaitSaid(t, busy, "holding", 1)
			idle := harness.StartProgram(t, io.Discard, []string{program}, env...)
			awaitSaid(t, idle, "attached", 1)

			first.Kill()
			awaitSaid(t, busy, "cancelled: server gone", 1)
			for _, w := range []*harness.Process{busy, idle} {
				awaitSaid(t, w, "next: ENOTCONN", 1)
				awaitSaid(t, w, "link: the server is gone", 1)
			}
			client.WantBrokenReply("POST", 0)

			_, s = startServer(t, socket)
			for _, w := range []*harness.Process{busy, idle} {
				awaitSaid(t, w, "attached", 2)
			}
			client = rawclient.Dial(t, s.Addr)
			for range 4 {
				client.Begin("PUT", "/echo", "Content-Length: 4")
				if _, err := io.WriteString(client.Conn, "body"); err != nil {
					t.Fatal(err)
				}
				if r := client.WantReply("PUT", 200); !strings.HasSuffix(r.Body, ": body") {
					t.Errorf("the response is %q", r.Body)
				}
			}
		})
	}
}
