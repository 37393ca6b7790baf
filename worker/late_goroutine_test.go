package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// tailed starts to wait for a slot, and returns when the server can see it.
func tailed(t testing.TB, s *scriptedServer, r *Request, n uint64, lane uint32) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := r.Tail(context.Background(), n)
		done <- err
	}()
	eventually(t, "the reader to wait", func() bool { return s.end.Lane(lane).WantsRequest() })
	return done
}

// finish answers a request with 200 and ends it.
func finish(t testing.TB, r *Request) {
	t.Helper()
	check(t, r.Respond(context.Background(), 200, nil))
	check(t, r.End(context.Background()))
}

func TestAReaderThatStillWaitsReturnsWhenItsRequestEnds(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	first := next(t, l)
	left := tailed(t, s, first, 2, 0)
	finish(t, first)
	wantError(t, "the reader", receive(t, "the reader", left), ErrEnded)
	wantError(t, "Cancelled", first.Cancelled(), ErrCancelled)
	receive(t, "Done", first.Done())
}

// The reader of the first request is about to sleep when that request ends, and does not
// run until the second one waits on the same lane.
func TestAReaderLeftBehindTakesNeitherTheWakeUpNorTheFlagOfTheNextRequest(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	first := next(t, l)
	first.reading.Lock()
	first.beginWait()
	first.reading.Unlock()
	finish(t, first)

	s.assign(2, 1, 0)
	second := next(t, l)
	got := tailed(t, s, second, 2, 0)
	if first.more == second.more {
		t.Error("the two wait for one and the same wake-up")
	}
	first.reading.Lock() // here the first reader runs again
	if err := first.waitForNews(context.Background(), nil); err != nil {
		t.Error(err)
	}
	_, err := first.tail(2)
	first.endWait()
	first.reading.Unlock()
	wantError(t, "the first reader", err, ErrEnded)
	if !s.end.Lane(0).WantsRequest() {
		t.Error("the second request's announcement was taken back")
	}
	s.tell(1, 0, []byte("body"), shm.KindBody)
	check(t, receive(t, "the second reader", got))
	finish(t, second)
}

func TestOfTwoReadersTheOneThatStillWaitsHearsOfWhatTheOtherLeft(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	r := next(t, l)
	one, two := tailed(t, s, r, 2, 0), tailed(t, s, r, 3, 0)
	eventually(t, "both to wait", func() bool {
		r.reading.Lock()
		defer r.reading.Unlock()
		return r.waiting == 2
	})
	s.publish(0, []byte("two"), shm.KindBody)
	s.tell(0, 0, []byte("three"), shm.KindBody) // one notice for both
	check(t, receive(t, "the first reader", one))
	check(t, receive(t, "the second reader", two))
	finish(t, r)
}

func TestNothingThatIsCalledAfterTheEndTouchesTheLane(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	r := next(t, l)
	s.tell(0, 0, []byte("body"), shm.KindBody)
	check(t, r.Respond(context.Background(), 200, nil))
	r.Abort()
	s.assign(2, 1, 0)
	second := next(t, l)
	r.Release(2)
	r.Abort()
	for what, err := range map[string]error{
		"Respond": r.Respond(context.Background(), 200, nil), "Flush": r.Flush(), "End": r.End(context.Background()),
		"Interim": r.Interim(context.Background(), 103, nil), "EndTrailers": r.EndTrailers(context.Background(), nil),
	} {
		wantError(t, what, err, ErrEnded)
	}
	_, err := r.TryTail(1)
	wantError(t, "TryTail", err, ErrEnded)
	_, err = r.Write([]byte("late"))
	wantError(t, "Write", err, ErrEnded)
	if released := s.rows[1].Progress(); released != 0 {
		t.Errorf("%d slots of the next request are released", released)
	}
	finish(t, second)
	reader := s.end.Reader(0, 2)
	if n, err := reader.Published(); n != 2 || err != nil {
		t.Errorf("the next response has %d slots (%v), want 2", n, err)
	}
}

func TestAWebSocketThatIsClosedEndsItsReader(t *testing.T) {
	s, l := startScripted(t, 1)
	s.scheme = "ws"
	s.assign(1, 0, 0)
	serveOne(t, l, func(w http.ResponseWriter, r *http.Request) {
		socket, err := AcceptWebSocket(w, r)
		check(t, err)
		read := make(chan error, 1)
		go func() {
			_, _, err := socket.Read(context.Background())
			read <- err
		}()
		eventually(t, "the reader to wait", func() bool { return s.end.Lane(0).WantsRequest() })
		check(t, socket.Close(CloseNormal, "done"))
		wantError(t, "Read", receive(t, "the reader", read), ErrEnded) // before the handler returns
	})
	s.awaitLetGo(1, 0)
}

func TestAttachGivesUpWhenItsContextEnds(t *testing.T) {
	s := newScriptedServer(t) // which never answers
	ctx, cancel := context.WithCancel(context.Background())
	attached := make(chan error, 1)
	go func() {
		_, err := Attach(ctx, s.socket)
		attached <- err
	}()
	conn, err := s.listener.AcceptUnix()
	check(t, err)
	defer conn.Close()
	_, err = conn.Read(make([]byte, 4096)) // the hello
	check(t, err)
	cancel()
	select {
	case err := <-attached:
		if err == nil {
			t.Error("attached to nobody")
		}
	case <-time.After(welcomeTime / 2):
		t.Error("it still waits for a welcome")
	}
}

// serveOne serves the next request of a link with handler, as Serve does.
func serveOne(t testing.TB, l *Link, handler http.HandlerFunc) *Request {
	t.Helper()
	r := next(t, l)
	serveHTTP(context.Background(), r, handler, slog.New(slog.DiscardHandler))
	return r
}

func TestAHandlerThatReturnsWhileItsBodyIsReadEndsTheReading(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	left := make(chan error, 1)
	serveOne(t, l, func(_ http.ResponseWriter, r *http.Request) {
		go func() {
			_, err := r.Body.Read(make([]byte, 10))
			left <- err
		}()
		eventually(t, "the reader to wait", func() bool { return s.end.Lane(0).WantsRequest() })
	})
	wantError(t, "Read", receive(t, "the reader", left), http.ErrBodyReadAfterClose)
	s.assign(2, 1, 0)
	got := make(chan []byte, 1)
	go serveOne(t, l, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- b
	})
	eventually(t, "the next reader to wait", func() bool { return s.end.Lane(0).WantsRequest() })
	s.publish(1, []byte("next"), shm.KindBody)
	s.tell(1, 0, nil, shm.KindEnd)
	if b := receive(t, "the next body", got); string(b) != "next" {
		t.Errorf("the next request has the body %q", b)
	}
}

// gate is a writer that waits before it looks at what it gets.
type gate struct {
	entered, open chan struct{}
	got           []byte
}

func (g *gate) Write(p []byte) (int, error) {
	close(g.entered)
	<-g.open
	g.got = append(g.got, p...)
	return len(p), nil
}

func TestAWriterThatIsSlowToTakeABodyDoesNotGetThatOfTheNextRequest(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	s.publish(0, bytes.Repeat([]byte("1"), 4000), shm.KindBody)
	slow, left := &gate{entered: make(chan struct{}), open: make(chan struct{})}, make(chan error, 1)
	serveOne(t, l, func(_ http.ResponseWriter, r *http.Request) {
		go func() {
			_, err := io.Copy(slow, r.Body)
			left <- err
		}()
		receive(t, "the writer", slow.entered)
	})
	s.awaitLetGo(1, 0)
	s.open(2, 0) // the same buffers
	s.publish(0, bytes.Repeat([]byte("2"), 4000), shm.KindBody)
	close(slow.open)
	wantError(t, "Copy", receive(t, "the copying", left), http.ErrBodyReadAfterClose)
	if !bytes.Equal(slow.got, bytes.Repeat([]byte("1"), 4000)) {
		t.Errorf("the writer got %q...", slow.got[:10])
	}
}

// slowReader is a reader that waits before it gives anything.
type slowReader struct{ entered, open chan struct{} }

func (r *slowReader) Read(p []byte) (int, error) {
	close(r.entered)
	<-r.open
	return copy(p, bytes.Repeat([]byte("1"), len(p))), io.EOF
}

func TestAGoroutineThatGoesOnWritingAfterItsHandlerWritesNowhere(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	slow, left := &slowReader{make(chan struct{}), make(chan struct{})}, make(chan error, 1)
	serveOne(t, l, func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).Flush()
		go func() {
			_, err := w.(io.ReaderFrom).ReadFrom(slow)
			left <- err
		}()
		receive(t, "the reader", slow.entered)
	})
	s.awaitLetGo(1, 0)
	s.assign(2, 1, 0)
	serveOne(t, l, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("2"), 3000))
		close(slow.open)
		wantError(t, "ReadFrom", receive(t, "the copying", left), ErrEnded)
	})
	var body []byte
	reader := s.end.Reader(0, 2)
	for n := uint64(2); ; n++ {
		slot, err := reader.Tail(n)
		check(t, err)
		if slot.Kind == shm.KindEnd {
			break
		}
		body = append(body, slot.Bytes...)
	}
	if !bytes.Equal(body, bytes.Repeat([]byte("2"), 3000)) {
		t.Errorf("the next response is %d bytes, %q...", len(body), body[:10])
	}
}

func TestAWriterThatWaitsForRoomGivesUpWhenTheRequestIsAborted(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	r := next(t, l)
	check(t, r.Respond(context.Background(), 200, nil))
	left := make(chan error, 1)
	go func() {
		_, err := r.Write(make([]byte, 2<<20))
		left <- err
	}()
	eventually(t, "the writer to wait", func() bool { return s.end.Lane(0).WantsRoom() })
	r.Abort()
	wantError(t, "Write", receive(t, "the writer", left), ErrCancelled)
	s.awaitLetGo(1, 0)
}

func TestAStreamOnALaneThatHasOneClosesTheLink(t *testing.T) {
	s, l := startScripted(t, 2)
	s.assign(1, 0, 0)
	first := next(t, l)
	s.assign(2, 1, 0)
	receive(t, "the link to close", l.Done())
	if _, err := l.Next(context.Background()); !errors.Is(err, errAssignment) {
		t.Errorf("the link is closed because of %v", err)
	}
	receive(t, "the first request to be cancelled", first.Done())
	if s.end.Lane(0).Accepted(2) {
		t.Error("the second stream is on the lane")
	}
	first.Abort()
}

func TestWhatALinkThatWasGivenUpReadsIsNotTheRequestsBody(t *testing.T) {
	for name, takeAway := range map[string]func(*scriptedServer){
		"link closed": (*scriptedServer).evict,
		"row of another stream": func(s *scriptedServer) {
			s.open(9, 0)
			s.publish(0, []byte("secret"), shm.KindBody)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := startScripted(t, 1)
			s.assign(1, 0, 0)
			s.publish(0, []byte("public"), shm.KindBody)
			var got []byte
			var failure error
			serveOne(t, l, func(_ http.ResponseWriter, r *http.Request) {
				first := make([]byte, 3)
				_, err := io.ReadFull(r.Body, first)
				check(t, err)
				takeAway(s)
				got, failure = io.ReadAll(r.Body)
			})
			if len(got) > 0 {
				t.Errorf("read %q", got)
			}
			wantError(t, "ReadAll", failure, ErrCancelled)
		})
	}
}

func TestDeadlinesEndTheWaiting(t *testing.T) {
	s, l := startScripted(t, 1)
	s.assign(1, 0, 0)
	serveOne(t, l, func(w http.ResponseWriter, r *http.Request) {
		control, read := http.NewResponseController(w), make(chan error, 1)
		go func() {
			_, err := r.Body.Read(make([]byte, 1))
			read <- err
		}()
		eventually(t, "the reader to wait", func() bool { return s.end.Lane(0).WantsRequest() })
		check(t, control.SetReadDeadline(time.Now().Add(time.Millisecond))) // while it waits
		wantError(t, "Read", receive(t, "the reader", read), os.ErrDeadlineExceeded)
		check(t, control.SetReadDeadline(time.Time{}))
		s.tell(0, 0, []byte("late"), shm.KindBody)
		if n, err := r.Body.Read(make([]byte, 10)); n != 4 || err != nil {
			t.Errorf("after the deadline: %d, %v", n, err)
		}

		check(t, control.SetWriteDeadline(time.Now().Add(time.Millisecond)))
		_, err := w.Write(make([]byte, 2<<20))
		wantError(t, "Write", err, os.ErrDeadlineExceeded)
	})
	s.awaitLetGo(1, 0)
}
