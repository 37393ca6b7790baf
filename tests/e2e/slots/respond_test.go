package slots_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
	"github.com/wavey-ai/upload-response/worker"
)

// request sends a GET and returns the worker's end of it.
func request(t *testing.T, s *harness.Server, l *worker.Link) (*rawclient.HTTP1, *worker.Request) {
	t.Helper()
	c := rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/respond")
	return c, next(t, l)
}

func TestARequestCannotBeUsedAfterItsEnd(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	for name, end := range map[string]func(*worker.Request){
		"End": func(r *worker.Request) { answer(t, r, "done") }, "Abort": (*worker.Request).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			c, r := request(t, s, l)
			wantSlot(t, r, 1, worker.Headers, "")
			end(r)
			ctx := patience(t)
			_, tryTail := r.TryTail(1)
			_, tail := r.Tail(ctx, 2)
			_, reserve := r.Reserve(ctx)
			_, write := r.Write([]byte("more"))
			for what, err := range map[string]error{
				"TryTail": tryTail, "Tail": tail, "Reserve": reserve, "Write": write,
				"Respond": r.Respond(ctx, 200, nil),
				"Flush":   r.Flush(), "End": r.End(ctx), "EndTrailers": r.EndTrailers(ctx, nil),
			} {
				wantError(t, what, err, worker.ErrEnded)
			}
			r.Release(2)
			r.Abort()
			c.Response("GET")
		})
	}
}

func TestAResponseOutOfOrderIsAnErrorAndCanStillBePutRight(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := request(t, s, attach(t, s))
	ctx := patience(t)
	_, err := r.Reserve(ctx)
	wantError(t, "Reserve before Respond", err, worker.ErrResponse)
	_, err = r.Write([]byte("x"))
	wantError(t, "Write before Respond", err, worker.ErrResponse)
	wantError(t, "End before Respond", r.End(ctx), worker.ErrResponse)
	for _, status := range []int{-1, 0, 99, 100, 101, 199, 1000, 70000} {
		wantError(t, fmt.Sprintf("status %d", status), r.Respond(ctx, status, nil), worker.ErrResponse)
	}
	for _, field := range []proto.Field{
		{Name: "a", Value: "b\r\nc: d"}, {Name: "a b", Value: "c"}, {Name: "", Value: "x"}, {Name: "a", Value: "\x00"},
	} {
		if err := r.Respond(ctx, 200, []proto.Field{field}); err == nil {
			t.Errorf("the field %q is accepted", field)
		}
	}
	wantError(t, "large headers", r.Respond(ctx, 200, []proto.Field{{Name: "big", Value: strings.Repeat("x", l64KiB)}}),
		worker.ErrTooLarge)
	harness.Check(t, r.Respond(ctx, 203, []proto.Field{{Name: "X-Right", Value: "yes"}}))
	wantError(t, "Respond twice", r.Respond(ctx, 200, nil), worker.ErrResponse)
	harness.Check(t, r.End(ctx))
	response := c.Response("GET")
	if response.StatusCode != 203 || response.Header.Get("X-Right") != "yes" {
		t.Errorf("%s, %v", response.Status, response.Header)
	}
	c.WantHeard(response, "")
}

const l64KiB = 64 << 10

func TestABodyThatIsFilledInPlaceArrivesWhole(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	c, r := request(t, s, l)
	ctx := patience(t)
	const size = 20 << 20 // more than the link's memory
	filled := make(chan error, 1)
	go func() {
		body := &e2etest.PatternReader{Left: size}
		err := r.Respond(ctx, 200, nil)
		for err == nil && body.Left > 0 {
			var space []byte
			if space, err = r.Reserve(ctx); err != nil {
				break
			}
			if len(space) < 1 || len(space) > l.SlotSize() {
				err = fmt.Errorf("Reserve returned %d bytes", len(space))
			}
			n, _ := body.Read(space[:1+int(body.Left)%len(space)])
			r.Commit(n)
		}
		filled <- errors.Join(err, r.End(ctx))
	}()
	n, err := io.Copy(&e2etest.PatternChecker{}, c.Response("GET").Body)
	if err != nil || n != size {
		t.Errorf("%d bytes came (%v), want %d", n, err, size)
	}
	harness.Check(t, <-filled)
}

func TestWhatIsNotFlushedIsHeldBack(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := request(t, s, attach(t, s))
	ctx := patience(t)
	harness.Check(t, r.Respond(ctx, 200, nil))
	harness.Check(t, r.Flush())
	response := c.Response("GET")
	for i := range 10 {
		_, err := fmt.Fprint(r, i)
		harness.Check(t, err)
		harness.Check(t, r.Flush())
		c.Expect(response.Body, fmt.Sprint(i))
	}
	_, err := r.Write([]byte("the end"))
	harness.Check(t, err)
	harness.Check(t, r.EndTrailers(ctx, []proto.Field{{Name: "sum", Value: "10"}}))
	c.WantHeard(response, "the end")
	if got := response.Trailer.Get("Sum"); got != "10" {
		t.Errorf("trailer %q", got)
	}
}

func TestRequestsOfOneLinkAreAnsweredInAnyOrder(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) { c.StallTime = 0 }) // they all keep the server waiting
	l := attach(t, s, worker.WithLanes(8))
	var clients []*rawclient.HTTP1
	var requests []*worker.Request
	for range 8 {
		c, r := beginUpload(t, s, l)
		clients, requests = append(clients, c), append(requests, r)
	}
	for _, i := range []int{5, 0, 7, 2, 6, 1, 4, 3} { // the upload, and the response a part at a time
		clients[i].Chunk(fmt.Sprint("body ", i))
		wantSlot(t, requests[i], 2, worker.Body, fmt.Sprint("body ", i))
		harness.Check(t, requests[i].Respond(patience(t), 200+i, nil))
	}
	for _, i := range []int{1, 3, 5, 7, 0, 2, 4, 6} {
		clients[i].Finish()
		wantSlot(t, requests[i], 3, worker.End, "")
		_, err := fmt.Fprint(requests[i], "answer ", i)
		harness.Check(t, err)
		harness.Check(t, requests[i].End(patience(t)))
		if i != 4 && i != 5 { // 204 and 205 have no body
			if got := clients[i].Want("POST", 200+i); got != fmt.Sprint("answer ", i) {
				t.Errorf("client %d got %q", i, got)
			}
		}
	}
}

func TestReadingAndWritingGoOnAtTheSameTime(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s, worker.WithLanes(4))
	for range 4 {
		go func() {
			if r, err := l.Next(patience(t)); err == nil {
				mirror(patience(t), r)
			}
		}()
	}
	const size = 8 << 20
	failed := make(chan error, 4)
	for i := range e2etest.TestPattern(4) {
		go func() {
			response, err := s.Client.Post(s.URL, "", &e2etest.PatternReader{Pattern: i, Left: size})
			if err != nil {
				failed <- err
				return
			}
			n, err := io.Copy(&e2etest.PatternChecker{Pattern: i}, response.Body)
			if err == nil && n != size {
				err = fmt.Errorf("%d bytes came back", n)
			}
			failed <- err
		}()
	}
	for range 4 {
		harness.Check(t, <-failed)
	}
}

// mirror sends a request's body back, with one goroutine that reads and one that
// writes.
func mirror(ctx context.Context, r *worker.Request) {
	views, written := make(chan shm.Slot), make(chan uint64)
	go func() {
		_ = r.Respond(ctx, 200, nil)
		for slot := range views {
			_, _ = r.WriteContext(ctx, slot.Bytes)
			written <- slot.Number
		}
		close(written)
	}()
	for n := uint64(1); ; n++ {
		slot, err := r.Tail(ctx, n)
		if err != nil || slot.Kind == worker.End {
			break
		}
		if slot.Kind == worker.Body {
			views <- slot
			<-written // the view ends with the release
		}
		r.Release(n)
	}
	close(views)
	<-written
	_ = r.End(ctx)
	r.Abort()
}

func TestAnAbortedRequestIs502OrABrokenResponse(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	c, r := request(t, s, l)
	r.Abort()
	c.Want("GET", http.StatusBadGateway)

	c, r = request(t, s, l)
	harness.Check(t, r.Respond(patience(t), 200, nil))
	harness.Check(t, r.Flush())
	response := c.Response("GET")
	r.Abort()
	c.WantBroken(response)
}

func TestAWorkerHearsWhyItsRequestWasCancelled(t *testing.T) {
	s := harness.Start(t, nil)
	c, r := beginUpload(t, s, attach(t, s))
	c.Chunk("two")
	wantSlot(t, r, 2, worker.Body, "two")
	harness.Check(t, r.Cancelled())
	_ = c.Conn.Close()
	select {
	case <-r.Done():
	case <-patience(t).Done():
		t.Fatal("the worker does not hear of it")
	}
	_, err := r.Tail(patience(t), 3)
	var cancelled *worker.CancelledError
	if !errors.As(err, &cancelled) || cancelled.Reason != shm.ReasonClientGone ||
		!errors.Is(r.Cancelled(), worker.ErrCancelled) {
		t.Errorf("Tail: %v; Cancelled: %v", err, r.Cancelled())
	}
	r.Abort()
}
