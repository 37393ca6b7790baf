package server

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

// pump streams one request body into slots: the client's bytes go from the
// kernel straight into shared memory. It runs in a goroutine of its own, so that
// the response can stream at the same time.
type pump struct {
	lane     dispatch.RequestLane
	stream   *dispatch.Stream
	progress *progress.Exchange // of the stream
	request  *http.Request
	limit    int64 // of the body; 0: none
	session  *protocol.Session
	writer   http.ResponseWriter // to say 100 Continue with
	window   *windowClaim        // released when the whole body has been read
	done     chan struct{}       // closed when nothing more is written

	continued atomic.Bool  // it waits no more
	dropped   atomic.Int64 // bytes that came when nobody wanted them any more
	early     earlyAnswer
}

// earlyAnswer is a response that has ended before its upload.
type earlyAnswer struct {
	at     time.Time // when it ended; zero: there is none
	status int
	open   bool         // its end comes only with that of the exchange
	flush  func() error // sends it
}

// The rest of an upload whose exchange is over is read and thrown away up to so
// many bytes and so long: then the connection can serve the next request. What
// is longer costs the client its connection.
const (
	leftoverBytes = conn.LingerBytes
	leftoverTime  = conn.LingerTime
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

func (p *pump) run() {
	defer close(p.done)
	if err := p.copyBody(); err != nil && !errors.Is(err, dispatch.ErrOver) {
		p.stream.FailUpload(err)
	}
}

// copyBody moves the body into slots until its end.
func (p *pump) copyBody() error {
	if err := p.awaitReader(); err != nil {
		return err
	}
	defer p.watchIdle()()
	for {
		space, err := p.lane.ReserveSome()
		if err != nil {
			return err
		}
		p.progress.StartRead()
		n, err := p.request.Body.Read(space)
		p.progress.EndRead()
		if p.lane.Stopped() {
			return p.discard(space, n, err)
		}
		if n > 0 {
			total := p.progress.Receive(n)
			if p.limit > 0 && total > p.limit {
				return fmt.Errorf("%w: over %d bytes", ErrBodyTooLarge, p.limit)
			}
			if total > int64(p.lane.SlotSize()/2) {
				p.stream.KeepNoMore() // too long to be held until the response begins
			}
			p.lane.Commit(n, shm.KindBody)
			p.lane.Publish()
		}
		switch {
		case errors.Is(err, io.EOF):
			p.window.release()
			return p.end()
		case err != nil:
			return p.readError(err)
		}
	}
}

// watchIdle has Announce called before a read waits for the client, where the
// connection can tell. It returns what ends that.
func (p *pump) watchIdle() (end func()) {
	c := conn.Of(p.request)
	if !p.session.Pipelined || c == nil || c.Reader == nil {
		return func() {}
	}
	p.lane.AnnounceInBatches()
	idle, reader := p.lane.Announce, c.Reader
	reader.OnIdle(&idle)
	return func() { reader.OnIdle(nil) }
}

// readError says what the failure of a read means.
func (p *pump) readError(err error) error {
	if p.progress.Preempted() {
		return fault.ErrPreempted
	}
	if p.progress.ClientSlow() {
		return fmt.Errorf("%w: no byte of the body within the limit", ErrClientSlow)
	}
	return fmt.Errorf("%w after %d bytes: %w", ErrBodyBroken, p.progress.Received(), err)
}

// end publishes the trailers, if any, and the end of the request.
func (p *pump) end() error {
	if fields := header.RequestTrailers(p.request.Trailer); len(fields) > 0 {
		if err := p.trailers(fields); err != nil {
			return err
		}
	}
	return p.lane.End()
}

func (p *pump) trailers(fields []proto.Field) error {
	frame, err := proto.AppendFields(nil, fields)
	if err != nil || len(frame) > p.lane.SlotSize() {
		return fmt.Errorf("%w: trailers", ErrBadRequest)
	}
	space, err := p.lane.Reserve(len(frame))
	if err != nil {
		return err
	}
	p.lane.Commit(copy(space, frame), shm.KindTrailers)
	return nil
}

// awaitReader waits until a worker wants the body, if the client asked to be told
// (RFC 9110 section 10.1.1): net/http sends the 100 with the first Read.
func (p *pump) awaitReader() error {
	if !p.session.AwaitsContinue {
		return nil
	}
	if err := p.lane.AwaitReader(); err != nil {
		return err
	}
	p.continued.Store(true)
	p.session.SendContinue(p.writer)
	return nil
}

// discard reads what is left of a small upload, so that its connection can be
// used again. n and err are of the read that has just ended.
func (p *pump) discard(space []byte, n int, err error) error {
	for left := p.session.LeftoverBytes() - n; err == nil && left > 0; left -= n {
		p.dropped.Add(int64(n))
		p.progress.StartRead() // the client keeps the row waiting
		n, err = p.request.Body.Read(space)
		p.progress.EndRead()
	}
	p.dropped.Add(int64(n))
	if !errors.Is(err, io.EOF) {
		return dispatch.ErrOver
	}
	p.progress.EndUpload()
	return dispatch.ErrOver
}

// halt ends the pump. What follows of the upload is thrown away, within bounds,
// unless the exchange failed. An early response is sent meanwhile.
func (p *pump) halt(controller *http.ResponseController, failure error) {
	p.lane.Stop()
	if p.progress.UploadEnded() {
		<-p.done
		return
	}
	willCome := failure == nil && (!p.session.AwaitsContinue || p.continued.Load())
	deadline := p.session.LeftoverDeadline(willCome, p.early.status)
	_ = controller.SetReadDeadline(deadline) // for what reads after the pump, too
	switch {
	case deadline.Equal(longAgo):
	case p.session.Pipelined:
		p.hold(controller)
	default:
		_ = p.early.flush() // no client loses it
	}
	<-p.done
}

// hold waits for the rest of an upload over HTTP/1.1, but not for long: then the response
// is sent. A client that has sent nothing meanwhile waits for the end of it.
func (p *pump) hold(controller *http.ResponseController) {
	wait := time.Until(p.early.at.Add(p.session.EarlyHold()))
	if wait <= 0 {
		_ = p.early.flush()
		wait = p.session.EarlyHold()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	}
	silent := p.early.open && p.dropped.Load() == 0
	if silent {
		p.session.CloseAfterReply(p.writer)
	}
	_ = p.early.flush()
	if silent {
		_ = controller.SetReadDeadline(longAgo)
	}
}
