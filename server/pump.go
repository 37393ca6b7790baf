package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// pump streams one request body into slots: the client's bytes go from the
// kernel straight into shared memory. It runs in a goroutine of its own, so that
// the response can stream at the same time.
type pump struct {
	stream  *stream
	request *http.Request
	limit   int64 // of the body; 0: none
	slot    int   // bytes in a slot
	dialect *dialect
	writer  http.ResponseWriter // to say 100 Continue with

	continued   atomic.Bool  // it waits no more
	unannounced atomic.Int32 // published slots that the worker was not woken for
	patient     bool         // wake the worker for several slots at once

	stop chan struct{} // closed when the exchange is over
	done chan struct{} // closed when the pump has ended
}

// errStopped ends a pump whose exchange is over.
var errStopped = errors.New("exchange over")

// The rest of an upload whose exchange is over is read and thrown away up to so
// many bytes and so long: then the connection can serve the next request. What
// is longer costs the client its connection.
const (
	leftoverBytes = 256 << 10
	leftoverTime  = 500 * time.Millisecond
)

func (p *pump) run() {
	defer close(p.done)
	err := p.copyBody()
	if err == nil {
		signal(p.stream.news) // the responder may wait for us only
	}
	if err == nil || errors.Is(err, errStopped) {
		return
	}
	p.stream.upload.fail(err)
	p.stream.cancel(cancelReason(p.stream.upload.failure())) // the first one
	signal(p.stream.news)
}

// copyBody moves the body into slots until its end.
func (p *pump) copyBody() error {
	if err := p.awaitReader(); err != nil {
		return err
	}
	defer p.watchIdle()()
	s := p.stream
	for {
		space, err := p.reserve()
		if err != nil {
			return err
		}
		s.watch.readSince.Store(shm.Now())
		n, err := p.request.Body.Read(space)
		s.watch.readSince.Store(0)
		if p.stopped() {
			return p.discard(space, n, err)
		}
		if n > 0 {
			total := s.upload.amount.Add(int64(n))
			if p.limit > 0 && total > p.limit {
				return fmt.Errorf("%w: over %d bytes", ErrBodyTooLarge, p.limit)
			}
			if total > int64(p.slot/2) {
				s.request.Keep(false) // too long to be held until the response begins
			}
			s.request.Commit(n, shm.KindBody)
			p.publish()
		}
		switch {
		case errors.Is(err, io.EOF):
			return p.end()
		case err != nil:
			return p.readError(err)
		}
	}
}

// announceEvery is how many slots are published before the worker is woken, while
// more bytes are there to be read: a wake-up costs about as much as reading a
// slot (docs/design/wakeups.md).
const announceEvery = 8

// publish hands the committed slot to the worker, who sees it at once if it is
// awake. It is woken when several have come together, or when there is nothing
// more to read.
func (p *pump) publish() {
	p.stream.request.Publish() // A1
	if n := p.unannounced.Add(1); !p.patient || n >= announceEvery {
		p.announce()
	}
}

// announce wakes the worker if it waits for what has been published. At the end of
// the body net/http reads on in a goroutine of its own, which calls it too.
func (p *pump) announce() {
	if p.unannounced.Load() > 0 && p.unannounced.Swap(0) > 0 {
		p.stream.announceRequest()
	}
}

// watchIdle has announce called before a read waits for the client, where the
// connection can tell. It returns what ends that.
func (p *pump) watchIdle() (end func()) {
	conn := connOf(p.request)
	if !p.dialect.serial || conn == nil || conn.sniffed == nil || conn.sniffed.reader == nil {
		return func() {}
	}
	p.patient = true
	idle, reader := p.announce, conn.sniffed.reader
	reader.idle.Store(&idle)
	return func() { reader.idle.Store(nil) }
}

// readError says what the failure of a read means.
func (p *pump) readError(err error) error {
	if p.stream.watch.clientSlow.Load() {
		return fmt.Errorf("%w: no byte of the body within the limit", ErrClientSlow)
	}
	return fmt.Errorf("%w after %d bytes: %w", ErrBodyBroken, p.stream.upload.amount.Load(), err)
}

// end publishes the trailers, if any, and the end of the request.
func (p *pump) end() error {
	s := p.stream
	if fields := requestTrailers(p.request.Trailer); len(fields) > 0 {
		if err := p.trailers(fields); err != nil {
			return err
		}
	}
	err := p.wait(func() error { return s.request.CommitEmpty(shm.KindEnd) })
	if err != nil {
		return err
	}
	s.request.LowerGuarantee()
	s.upload.ended.Store(true)
	s.request.Publish() // A1
	s.announceRequest()
	return nil
}

func (p *pump) trailers(fields []proto.Field) error {
	frame, err := proto.AppendFields(nil, fields)
	if err != nil || len(frame) > p.slot {
		return fmt.Errorf("%w: trailers", ErrBadRequest)
	}
	var space []byte
	err = p.wait(func() (err error) {
		space, err = p.stream.request.Reserve(len(frame))
		return err
	})
	if err != nil {
		return err
	}
	p.stream.request.Commit(copy(space, frame), shm.KindTrailers)
	return nil
}

// reserve returns space for the next read: a good part of a slot if there is
// one, and anything at all rather than waiting.
func (p *pump) reserve() ([]byte, error) {
	space, err := p.stream.request.Reserve(p.slot / 2)
	if err == nil {
		return space, nil
	}
	err = p.wait(func() (err error) {
		space, err = p.stream.request.Reserve(1)
		return err
	})
	return space, err
}

// wait calls try until it does not fail for want of room: the worker has to
// release slots first. This is what holds the client back: nobody reads its
// connection meanwhile.
func (p *pump) wait(try func() error) error {
	s := p.stream
	err := try()
	if !errors.Is(err, shm.ErrNoRoom) {
		return p.check(err)
	}
	p.announce()
	s.row.WantRoom(true) // S1
	s.upload.waits.Store(true)
	defer s.row.WantRoom(false)
	defer s.upload.waits.Store(false)
	for {
		if err := try(); !errors.Is(err, shm.ErrNoRoom) {
			s.withPlace(func(at *place) { at.link.useNews() })
			return p.check(err)
		}
		select {
		case <-s.room:
		case <-p.stop:
			return errStopped
		}
	}
}

// check evicts the worker if err says that it broke the protocol. The upload ends
// with it: it fails first, so that no other worker is given a request of which
// nothing more comes.
func (p *pump) check(err error) error {
	if err == nil {
		return nil
	}
	p.stream.upload.fail(fmt.Errorf("%w: %w", ErrWorkerLost, err))
	p.stream.evict(err)
	<-p.stop // the responder sees that the link is dead and ends the exchange
	return errStopped
}

// awaitReader waits until a worker wants the body, if the client asked to be told
// (RFC 9110 section 10.1.1): net/http sends the 100 with the first Read.
func (p *pump) awaitReader() error {
	if !p.dialect.expects {
		return nil
	}
	s := p.stream
	s.row.WantRoom(true) // S1
	defer s.row.WantRoom(false)
	for {
		wanted := false
		s.withPlace(func(at *place) { wanted = at.lane.Accepted(s.id.Load()) && at.lane.WantsRequest() })
		if wanted {
			p.continued.Store(true)
			p.dialect.sendContinue(p.writer)
			return nil
		}
		select {
		case <-s.room:
		case <-p.stop:
			return errStopped
		}
	}
}

func (p *pump) stopped() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// discard reads what is left of a small upload, so that its connection can be
// used again. n and err are of the read that has just ended.
func (p *pump) discard(space []byte, n int, err error) error {
	for left := leftoverBytes - n; p.dialect.serial && err == nil && left > 0; left -= n {
		n, err = p.request.Body.Read(space)
	}
	if !errors.Is(err, io.EOF) {
		return errStopped
	}
	p.stream.upload.ended.Store(true)
	return errStopped
}

// halt ends the pump. What follows of the upload is thrown away, within bounds,
// unless the exchange failed.
func (p *pump) halt(controller *http.ResponseController, failure error) {
	close(p.stop)
	if !p.stream.upload.ended.Load() {
		willCome := failure == nil && (!p.dialect.expects || p.continued.Load())
		_ = controller.SetReadDeadline(p.dialect.leftoverDeadline(willCome)) // for what reads after the pump, too
	}
	<-p.done
}

// cancelReason returns what a worker is told when an exchange fails.
func cancelReason(err error) shm.Reason {
	for _, row := range []struct {
		err error
		why shm.Reason
	}{
		{ErrClientGone, shm.ReasonClientGone}, {ErrBodyBroken, shm.ReasonClientGone}, {ErrClientSlow, shm.ReasonClientSlow},
		{ErrBodyTooLarge, shm.ReasonTooLarge}, {ErrWorkerTimeout, shm.ReasonDeadline}, {ErrWorkerInvalid, shm.ReasonInvalid},
		{ErrDraining, shm.ReasonShutdown},
	} {
		if errors.Is(err, row.err) {
			return row.why
		}
	}
	return shm.ReasonFinished
}
