package relay

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/shm"
)

// bodyUpload streams one request body into slots: the client's bytes go from the kernel
// straight into shared memory. It runs in a goroutine of its own, so that the response can
// stream at the same time.
type bodyUpload struct {
	lane     dispatch.RequestLane
	stream   *dispatch.Stream
	progress *progress.Exchange // of the stream
	request  *http.Request
	limit    int64 // of the body; 0: none
	session  *protocol.Session
	writer   http.ResponseWriter // sends 100 Continue
	window   *windowClaim        // released when the whole body has been read
	done     chan struct{}       // closed when nothing more is written

	continued atomic.Bool  // the client waits no more for 100 Continue
	dropped   atomic.Int64 // bytes that came when nobody wanted them any more
	early     earlyAnswer
}

// earlyAnswer is a response that has ended before its upload.
type earlyAnswer struct {
	at     time.Time // when it ended; zero: there is none
	status int
	open   bool         // the end of the response comes only with that of the exchange
	flush  func() error // sends the response
}

func (u *bodyUpload) run() {
	defer close(u.done)
	if err := u.copyBody(); err != nil && !errors.Is(err, dispatch.ErrOver) {
		u.stream.FailUpload(err)
	}
}

// copyBody moves the body into slots until its end.
func (u *bodyUpload) copyBody() error {
	if err := u.awaitReader(); err != nil {
		return err
	}
	defer u.watchIdle()()
	for {
		space, err := u.lane.ReserveSome()
		if err != nil {
			return err
		}
		u.progress.StartRead()
		n, err := u.request.Body.Read(space)
		u.progress.EndRead()
		if u.lane.Stopped() {
			return u.discard(space, n, err)
		}
		if n > 0 {
			total := u.progress.Receive(n)
			if u.limit > 0 && total > u.limit {
				return fmt.Errorf("%w: over %d bytes", fault.ErrBodyTooLarge, u.limit)
			}
			if total > int64(u.lane.SlotSize()/2) {
				u.stream.KeepNoMore() // too long to be held until the response begins
			}
			u.lane.Commit(n, shm.KindBody)
			u.lane.Publish()
		}
		switch {
		case errors.Is(err, io.EOF):
			u.window.release()
			return u.end()
		case err != nil:
			return u.readError(err)
		}
	}
}

// watchIdle has Announce called before a read waits for the client, where the connection
// can tell. The function that it returns ends that.
func (u *bodyUpload) watchIdle() (end func()) {
	c := conn.Of(u.request)
	if !u.session.Pipelined || c == nil || c.Reader == nil {
		return func() {}
	}
	u.lane.AnnounceInBatches()
	idle, reader := u.lane.Announce, c.Reader
	reader.OnIdle(&idle)
	return func() { reader.OnIdle(nil) }
}

// readError returns what the failure of a read means.
func (u *bodyUpload) readError(err error) error {
	if u.progress.Preempted() {
		return fault.ErrPreempted
	}
	if u.progress.ClientSlow() {
		return fmt.Errorf("%w: no byte of the body within the limit", fault.ErrClientSlow)
	}
	return fmt.Errorf("%w after %d bytes: %w", fault.ErrBodyBroken, u.progress.Received(), err)
}

// end publishes the trailers, if any, and the end of the request.
func (u *bodyUpload) end() error {
	if fields := header.RequestTrailers(u.request.Trailer); len(fields) > 0 {
		if err := u.publishTrailers(fields); err != nil {
			return err
		}
	}
	return u.lane.End()
}

func (u *bodyUpload) publishTrailers(fields []proto.Field) error {
	frame, err := proto.AppendFields(nil, fields)
	if err != nil || len(frame) > u.lane.SlotSize() {
		return fmt.Errorf("%w: trailers", fault.ErrBadRequest)
	}
	space, err := u.lane.Reserve(len(frame))
	if err != nil {
		return err
	}
	u.lane.Commit(copy(space, frame), shm.KindTrailers)
	return nil
}

// awaitReader waits until a worker wants the body, if the client asked to be told (RFC 9110
// section 10.1.1), and tells the client.
func (u *bodyUpload) awaitReader() error {
	if !u.session.AwaitsContinue {
		return nil
	}
	if err := u.lane.AwaitReader(); err != nil {
		return err
	}
	u.continued.Store(true)
	u.session.SendContinue(u.writer)
	return nil
}

// discard reads the rest of a small upload, so that the connection can be used again. n and
// err are of the read that has just ended.
func (u *bodyUpload) discard(space []byte, n int, err error) error {
	for left := u.session.LeftoverBytes() - n; err == nil && left > 0; left -= n {
		u.dropped.Add(int64(n))
		u.progress.StartRead() // the client keeps the row waiting
		n, err = u.request.Body.Read(space)
		u.progress.EndRead()
	}
	u.dropped.Add(int64(n))
	if !errors.Is(err, io.EOF) {
		return dispatch.ErrOver
	}
	u.progress.EndUpload()
	return dispatch.ErrOver
}

// halt ends the upload. The rest of the body is thrown away, within bounds, unless the
// exchange failed. An early response is sent meanwhile.
func (u *bodyUpload) halt(controller *http.ResponseController, failure error) {
	u.lane.Stop()
	if u.progress.UploadEnded() {
		<-u.done
		return
	}
	willCome := failure == nil && (!u.session.AwaitsContinue || u.continued.Load())
	deadline := u.session.LeftoverDeadline(willCome, u.early.status)
	_ = controller.SetReadDeadline(deadline) // for whoever reads after the upload, too
	switch {
	case deadline.Equal(conn.Past):
	case u.session.Pipelined:
		u.hold(controller)
	default:
		_ = u.early.flush() // no client loses it
	}
	<-u.done
}

// leavesTooMuch reports whether the client has announced more than is thrown away. Without a
// Content-Length nobody knows.
func (u *bodyUpload) leavesTooMuch() bool {
	return u.request.ContentLength-u.progress.Received() > int64(u.session.LeftoverBytes())
}

// hold waits for the rest of an upload over HTTP/1.1, but not for long: then the response
// is sent. A client that has sent nothing meanwhile waits for the end of the response. The
// response says that the connection will be closed if that is certain before it is sent.
func (u *bodyUpload) hold(controller *http.ResponseController) {
	if u.leavesTooMuch() {
		u.session.CloseAfterReply(u.writer)
	}
	wait := time.Until(u.early.at.Add(u.session.EarlyHold()))
	if wait <= 0 {
		_ = u.early.flush()
		wait = u.session.EarlyHold()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-u.done:
		return
	case <-timer.C:
	}
	silent := u.early.open && u.dropped.Load() == 0
	if silent {
		u.session.CloseAfterReply(u.writer)
	}
	_ = u.early.flush()
	if silent {
		_ = controller.SetReadDeadline(conn.Past)
	}
}
