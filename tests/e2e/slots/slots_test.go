package slots_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
	"github.com/wavey-ai/upload-response/worker"
)

// The tests of the slot-level API are their own workers: so the race detector
// sees the worker's side too, and every step of a worker follows from a step of
// its client.

// attach attaches a link of this process.
func attach(t *testing.T, s *harness.Server, options ...worker.Option) *worker.Link {
	t.Helper()
	before := s.Router.Stats().Attached
	l, err := worker.Attach(patience(t), s.Socket, options...)
	harness.Check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	harness.Eventually(t, "the link to be in its pool", func() bool { return s.Router.Stats().Attached > before })
	return l
}

// patience returns a context that ends when anything has taken too long.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	t.Cleanup(cancel)
	return ctx
}

func next(t *testing.T, l *worker.Link) *worker.Request {
	t.Helper()
	r, err := l.Next(patience(t))
	harness.Check(t, err)
	return r
}

// wantSlot waits for a slot, which has to be of this kind and with these bytes.
func wantSlot(t *testing.T, r *worker.Request, n uint64, kind shm.Kind, text string) {
	t.Helper()
	slot, err := r.Tail(patience(t), n)
	if err != nil || slot.Number != n || slot.Kind != kind || kind != worker.Headers && string(slot.Bytes) != text {
		t.Fatalf("slot %d is %v number %d with %.50q (%v), want %v with %.50q", n, slot.Kind, slot.Number, slot.Bytes,
			err, kind, text)
	}
}

// wantError fails the test unless err is an error of this kind.
func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// answer ends a request with a body.
func answer(t *testing.T, r *worker.Request, body string) {
	t.Helper()
	harness.Check(t, r.Respond(patience(t), http.StatusOK, nil))
	_, err := r.Write([]byte(body))
	harness.Check(t, err)
	harness.Check(t, r.End(patience(t)))
}

// beginUpload begins a chunked upload and returns the worker's end of it.
func beginUpload(t *testing.T, s *harness.Server, l *worker.Link) (*rawclient.HTTP1, *worker.Request) {
	t.Helper()
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/slots", "Transfer-Encoding: chunked")
	return c, next(t, l)
}

func TestSlotsComeWhileTheUploadRunsNumberedFromHeadersToEnd(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := beginUpload(t, s, attach(t, s))
	wantSlot(t, r, 1, worker.Headers, "")
	header, err := r.Header()
	harness.Check(t, err)
	if header.Method != "POST" || header.Path != "/slots" || header.Authority != "test" ||
		header.StreamID != r.StreamID() {
		t.Errorf("headers %+v", header)
	}
	for n, text := range []string{2: "one", 3: "two", 4: "three"} {
		if text == "" {
			continue
		}
		_, err := r.TryTail(uint64(n))
		wantError(t, "a slot that is not there", err, worker.ErrNothingYet)
		c.Chunk(text)
		wantSlot(t, r, uint64(n), worker.Body, text)
	}
	c.Finish()
	wantSlot(t, r, 5, worker.End, "")
	answer(t, r, "done")
	if got := c.Want("POST", http.StatusOK); got != "done" {
		t.Errorf("%q", got)
	}
}

func TestARequestWithoutABodyIsHeadersAndEnd(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/")
	r := next(t, l)
	wantSlot(t, r, 1, worker.Headers, "")
	wantSlot(t, r, 2, worker.End, "")
	answer(t, r, "done")
	c.Want("GET", http.StatusOK)
}

func TestASlotIsReadableUntilItsRelease(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := beginUpload(t, s, attach(t, s))
	c.Chunk("two")
	wantSlot(t, r, 2, worker.Body, "two")
	c.Chunk("three")
	wantSlot(t, r, 3, worker.Body, "three")
	wantSlot(t, r, 2, worker.Body, "two")
	wantSlot(t, r, 1, worker.Headers, "")
	r.Release(2)
	for n := range uint64(2) {
		_, err := r.TryTail(n + 1)
		wantError(t, "a released slot", err, shm.ErrReleased)
		_, err = r.Tail(patience(t), n+1)
		wantError(t, "a released slot", err, shm.ErrReleased)
	}
	r.Release(1) // again
	wantSlot(t, r, 3, worker.Body, "three")
	c.Finish()
	wantSlot(t, r, 4, worker.End, "")
	answer(t, r, "done")
	c.Want("POST", http.StatusOK)
}

func TestTailEndsWithItsContext(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := beginUpload(t, s, attach(t, s))
	ctx, cancel := context.WithCancel(patience(t))
	ended := make(chan error, 1)
	go func() {
		_, err := r.Tail(ctx, 2)
		ended <- err
	}()
	cancel()
	wantError(t, "Tail", <-ended, context.Canceled)
	c.Finish()
	wantSlot(t, r, 2, worker.End, "")
	answer(t, r, "done")
	c.Want("POST", http.StatusOK)
}

func TestSlotsOfAByteShareABufferWhileTheyAreHeld(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := beginUpload(t, s, attach(t, s))
	for n := range uint64(1000) {
		c.Chunk("x")
		wantSlot(t, r, n+2, worker.Body, "x")
	}
	if st := s.Router.Stats(); st.TotalBuffers-st.FreeBuffers > 2 {
		t.Errorf("1000 slots of a byte hold %d buffers", st.TotalBuffers-st.FreeBuffers)
	}
	c.Finish()
	answer(t, r, "done")
	c.Want("POST", http.StatusOK)
}

func TestAWorkerThatReleasesNothingHoldsItsClientBack(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) { c.Memory, c.LinkMemory, c.MaxLinks = 8<<20, 4<<20, 1 })
	l := attach(t, s)
	const size = 16 << 20
	sent := make(chan error, 1)
	go func() {
		response, err := s.Client.Post(s.URL, "", &e2etest.PatternReader{Left: size})
		if err == nil {
			err = response.Body.Close()
		}
		sent <- err
	}()
	r := next(t, l)
	harness.Eventually(t, "the upload to fill its share of the memory", func() bool {
		st := s.Router.Stats()
		return st.TotalBuffers-st.FreeBuffers >= st.TotalBuffers/2-1
	})
	select {
	case err := <-sent:
		t.Fatalf("the client has sent 16 MiB into 4 MiB: %v", err)
	default:
	}
	check := e2etest.PatternChecker{}
	for n := uint64(2); ; n++ {
		slot, err := r.Tail(patience(t), n)
		harness.Check(t, err)
		if slot.Kind == worker.End {
			break
		}
		_, err = check.Write(slot.Bytes)
		harness.Check(t, err)
		r.Release(n)
	}
	if check.Offset != size {
		t.Errorf("%d bytes came, want %d", check.Offset, size)
	}
	answer(t, r, "")
	harness.Check(t, <-sent)
}
