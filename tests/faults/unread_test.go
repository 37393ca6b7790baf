package faults_test

import (
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// upload is a client that sends without end, as far as it gets.
func upload(t *testing.T, s *harness.Server, target string) *rawclient.HTTP1 {
	t.Helper()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("POST", target, "Content-Length: 1000000000")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		piece := strings.Repeat("x", 1<<16)
		for err := error(nil); err == nil; {
			_, err = io.WriteString(client.Conn, piece)
		}
	}()
	t.Cleanup(func() { _ = client.Conn.Close(); <-sent })
	return client
}

// awaitStalled waits until the upload has taken all the buffers that it gets.
func awaitStalled(t testing.TB, s *harness.Server) {
	t.Helper()
	last, since := -1, time.Now()
	harness.Eventually(t, "the upload to stall", func() bool {
		if free := s.Router.Stats().FreeBuffers; free != last {
			last, since = free, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
}

func TestAWorkerThatReleasesNothingHoldsBackItsOwnClientOnly(t *testing.T) {
	for _, task := range []string{"unread", "leak"} {
		t.Run(task, func(t *testing.T) {
			access := &harness.Log{}
			s := harness.Start(t, func(c *server.Config) {
				impatient(c)
				c.ResponseTimeout = 2 * time.Second
				c.Memory, c.LinkMemory = 4<<20, 1<<19
				c.AccessLog = slog.New(slog.NewTextHandler(access, nil))
			})
			p := s.StartWorker(t, "slots")
			s.StartWorker(t, "handler")
			client := upload(t, s, "/slots/"+task)
			awaitSaid(t, p, "took", 1)
			awaitStalled(t, s)

			other := rawclient.Dial(t, s.Addr)
			other.Begin("PUT", "/echo", "Content-Length: 200000")
			other.Send(strings.Repeat("y", 200000))
			if r := other.WantReply("PUT", 200); !strings.HasSuffix(r.Body, "yyy") {
				t.Errorf("another client's response is %q", r.Body)
			}
			if st := s.Router.Stats(); st.WorkerTimeouts != 0 {
				t.Error("another client had to wait for the end of the stalled upload")
			}

			client.WantReply("POST", 504)
			got, most := received(t, access, task), int64(s.Router.Stats().TotalBuffers)*smallSlot
			if got == 0 || got > most {
				t.Errorf("%d bytes of the upload came in, the request memory has %d", got, most)
			}
			awaitSaid(t, p, "worker: request cancelled: deadline passed", 1)
			if task == "unread" {
				awaitActive(t, s, 0)
				return
			}
			wantGood(t, s)
			awaitActive(t, s, 1) // it still has its views
			p.Kill()
		})
	}
}

func TestAWorkerThatKeepsMostOfTheStreamsIsEvicted(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		impatient(c)
		c.NumStreams = 4
	})
	p := s.StartWorker(t, "slots")
	s.StartWorker(t, "handler")
	for n := range 3 {
		if evicted := s.Router.Stats().Evicted; evicted != 0 {
			t.Fatalf("evicted with %d streams", n)
		}
		client := rawclient.Dial(t, s.Addr)
		client.Begin("GET", "/slots/leak")
		client.WantReply("GET", 504)
		wantGood(t, s)
	}
	harness.Eventually(t, "the eviction", func() bool { return s.Router.Stats().Evicted == 1 })
	awaitActive(t, s, 0)
	wantGood(t, s)
	awaitSaid(t, p, "link: worker: link closed: refused (evicted): it keeps 3 streams whose exchanges are over", 1)
}

func TestAResponseThatItsClientDoesNotReadLeavesRoomForTheOthersOfItsLink(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		impatient(c)
		c.LinkMemory = 300 << 10 // little more than a buffer for each lane
	})
	p := s.StartWorker(t, "slots")
	stalled := rawclient.Dial(t, s.Addr)
	stalled.Begin("GET", "/slots/endless")
	awaitSaid(t, p, "took", 1)
	if head, err := stalled.ReplyHead(); err != nil || head.Status != 200 {
		t.Fatalf("%+v: %v", head, err)
	}
	awaitSaid(t, p, "stalled", 1)
	other := rawclient.Dial(t, s.Addr)
	for range 3 {
		other.Begin("GET", "/slots/now")
		if r := other.WantReply("GET", 200); r.Body != "slots" {
			t.Errorf("another client's response is %q", r.Body)
		}
	}
	if links := s.Router.Stats().Links; links != 1 {
		t.Errorf("%d links, want 1", links)
	}
	harness.Check(t, stalled.Conn.Close())
}

var receivedBytes = regexp.MustCompile(`received=(\d+)`)

// received returns how many bytes of body the access log says came in.
func received(t testing.TB, access *harness.Log, task string) (n int64) {
	t.Helper()
	var line string
	harness.Eventually(t, "the line in the access log", func() bool {
		for l := range strings.Lines(access.String()) {
			if strings.Contains(l, "path=/slots/"+task) {
				line = l
			}
		}
		return line != ""
	})
	found := receivedBytes.FindStringSubmatch(line)
	n, err := strconv.ParseInt(found[1], 10, 64)
	harness.Check(t, err)
	return n
}
