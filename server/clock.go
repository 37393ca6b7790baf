package server

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// tick is how often the clock looks at every stream, and so how late a deadline
// may be noticed.
const tick = 10 * time.Millisecond

// streamWatch is what the clock knows of one exchange. A timer for each wait
// would cost more than a small request; the clock looks at all of them at once.
type streamWatch struct {
	waitSince  atomic.Int64  // the responder waits for the worker, shm.Now; 0: not
	readSince  atomic.Int64  // the pump waits for the client
	writeSince atomic.Int64  // the responder waits for the client
	expired    atomic.Uint64 // stream whose worker's time is up
	clientSlow atomic.Bool   // the client's time is up
	slow       atomic.Bool   // it has lost patience, see patience
	waited     atomic.Int64  // when the clock saw last that the client was waited for, shm.Now; 0: never
	wasSlow    atomic.Bool   // it had, at some time
	yields     atomic.Bool   // because others waited for its place
	taken      atomic.Uint64 // bytes of the response that the connection took
	clientGone atomic.Bool   // net/http has cancelled the request
	answered   atomic.Bool   // the response has begun

	// The clock's own.
	stream   uint64 // the next three are of, and its
	at       *place
	released uint64 // request slots that the worker had released
	turn     int64  // since when it is the worker's turn
	leaving  bool   // the context had ended at the last look
	upload   uploadPace
	patience patience

	mu         sync.Mutex
	ctx        context.Context // of the client's request; nil: no exchange
	controller *http.ResponseController
	meter      meter
}

func (w *streamWatch) reset() {
	w.waitSince.Store(0)
	w.readSince.Store(0)
	w.writeSince.Store(0)
	w.expired.Store(0)
	w.clientSlow.Store(false)
	w.yields.Store(false)
	w.slow.Store(false)
	w.wasSlow.Store(false)
	w.waited.Store(0)
	w.taken.Store(0)
	w.clientGone.Store(false)
	w.answered.Store(false)
}

// attend lets the clock see that the client is gone, and what moves, and end its reads
// and writes; nil ends that.
func (w *streamWatch) attend(ctx context.Context, controller *http.ResponseController, m meter) {
	w.mu.Lock()
	w.ctx, w.controller, w.meter = ctx, controller, m
	w.mu.Unlock()
}

// dismiss no longer lets it see that the client is gone, which has all that it wants.
func (w *streamWatch) dismiss() {
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
}

// left reports, once, that the client is gone. It waits for a second look: a read
// of the body that failed ends the context too, and the pump knows better what it
// means.
func (w *streamWatch) left() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	gone := w.ctx != nil && w.ctx.Err() != nil
	before := w.leaving
	w.leaving = gone
	return gone && before && !w.clientGone.Swap(true)
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// cutSlow ends the client's pending read or write if it has been pending since
// before the given time. A client that is slow to send can still be told so.
func (w *streamWatch) cutSlow(before int64) {
	if !pending(&w.readSince, before) && !pending(&w.writeSince, before) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	write := pending(&w.writeSince, before)
	if write || pending(&w.readSince, before) { // still the same exchange
		w.cutLocked(write)
	}
}

// cutReading ends the client's pending read.
func (w *streamWatch) cutReading() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readSince.Load() != 0 {
		w.cutLocked(false)
	}
}

// interrupt makes the pending read of the client, and every later one, fail.
func (w *streamWatch) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.controller != nil {
		_ = w.controller.SetReadDeadline(longAgo)
	}
}

// pending reports whether something has been since before the given time.
func pending(since *atomic.Int64, before int64) bool {
	at := since.Load()
	return at != 0 && at < before
}

// cut ends the client's pending reads and writes.
func (w *streamWatch) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutLocked(true)
}

func (w *streamWatch) cutLocked(write bool) {
	if w.controller == nil {
		return
	}
	w.clientSlow.Store(true)
	_ = w.controller.SetReadDeadline(longAgo)
	if write {
		_ = w.controller.SetWriteDeadline(longAgo)
	}
}

// clock looks after the deadlines of all streams until stop is closed.
func (r *UploadResponseRouter) clock(stop <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		if r.requests.active.Load() == 0 {
			continue
		}
		now := shm.Now()
		for _, s := range r.requests.streams {
			if id := s.id.Load(); id != 0 {
				r.look(s, id, now)
			}
		}
		r.requests.tick()
		for _, p := range r.pools {
			p.tick()
		}
		r.reclaim(now)
		r.evictHoarder(now)
	}
}

// look checks the deadlines of one stream.
func (r *UploadResponseRouter) look(s *stream, id uint64, now int64) {
	w := &s.watch
	since := w.waitSince.Load()
	var at *place
	s.withPlace(func(p *place) {
		at = p
		if since == 0 {
			return
		}
		released := s.request.Progress()
		if p != w.at || id != w.stream || released > w.released || !workersTurn(s, p) { // a count that goes back is no progress
			w.at, w.stream, w.released, w.turn = p, id, released, now
		}
	})
	if since != 0 && now-max(since, w.turn) > int64(r.config.ResponseTimeout) {
		w.expired.Store(id)
		signal(s.news)
	}
	if w.left() {
		signal(s.news)
	}
	w.cutSlow(now - int64(r.config.ClientTimeout))
	if s.keepsWaiting(now) {
		w.waited.Store(now)
	}
	w.patience.look(s, id, now, r.config.StallTime)
	if w.upload.tooSlow(s, id, now, &r.config) {
		w.cutReading()
	}
	if at != nil {
		at.link.pool.reconsider(s, at, now)
	}
}

// workersTurn reports whether the exchange can only go on if the worker does
// something: it has the whole request, or slots that it neither released nor
// waits behind, or it stands in the way of the pump. It has to answer the offer of a
// WebSocket; in an open one it may leave messages lying.
func workersTurn(s *stream, p *place) bool {
	switch {
	case s.upload.ended.Load() || s.upload.waits.Load():
		return true
	case s.offered.Load():
		return s.websocket.Load() == nil
	}
	return s.request.Outstanding() > 0 && !p.lane.WantsRequest()
}
