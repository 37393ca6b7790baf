package worker

import (
	"errors"
	"fmt"

	"github.com/wavey-ai/upload-response/shm"
)

// lane is one lane of the link. Its requests share the two channels: a wake-up that is late
// for one request only makes the next one look once more. But if a goroutine still waits for
// slots when its request ends, it keeps the channel more, and the lane gets a new one: it must
// not take a wake-up of the next request.
type lane struct {
	words    *shm.Lane
	position *shm.Position
	writer   *shm.Writer
	request  *Request      // in progress; under the link's lock
	more     chan struct{} // look for request slots again; under the link's lock
	room     chan struct{} // look for room again; received from under the request's writing lock
	scratch  []byte        // for encoding headers; the writing goroutine's
}

func (l *Link) openLanes() {
	l.pool = shm.NewPool(l.end.Buffers())
	l.lanes = make([]lane, l.end.Lanes())
	for i := range l.lanes {
		n := uint32(i)
		l.lanes[i] = lane{
			words: l.end.Lane(n), position: l.end.Position(n), writer: l.end.NewWriter(n),
			more: make(chan struct{}, 1), room: make(chan struct{}, 1),
		}
	}
	for i := range l.lanes { // reserves a buffer for each lane, which busy neighbours cannot take
		if !l.lanes[i].writer.Open(l.pool, 1) {
			panic("fewer response buffers than lanes")
		}
	}
	l.drained = make(chan struct{})
}

// errAssignment closes a link whose server assigned a stream to a lane before the lane's
// request had ended. The response would continue in that of the other stream.
var errAssignment = errors.New("the server broke the protocol")

// take takes the next stream from the inbox. It returns nil if there is none, or if as many
// requests are in progress as the link serves at once. The caller holds the link's lock.
// Release: release.
func (l *Link) take() (*Request, error) {
	for !l.dead && l.active < l.concurrency {
		a, revoked, ok := l.end.Inbox.Take()
		if !ok {
			return nil, nil
		}
		if err := l.end.CheckAssignment(a); err != nil {
			return nil, err
		}
		if l.lanes[a.Lane].request != nil {
			return nil, fmt.Errorf("%w: stream %d was assigned to lane %d, whose request has not ended",
				errAssignment, a.StreamID, a.Lane)
		}
		if !revoked {
			return l.accept(a), nil
		}
		l.lanes[a.Lane].words.LetGo(a.StreamID) // K1
		l.end.Notify(a.Lane)
	}
	return nil, nil
}

// accept makes a request of an assignment. The caller holds the link's lock.
func (l *Link) accept(a shm.Assignment) *Request {
	at := &l.lanes[a.Lane]
	r := &Request{
		link: l, lane: at, index: a.Lane, id: a.StreamID,
		row: l.end.Row(a.Row), reader: l.end.Reader(a), more: at.more, done: make(chan struct{}),
	}
	at.writer.Reopen() // drops the lane's last response, which the server has read
	at.writer.BindPosition(at.position, a.StreamID)
	at.words.Accept(a.StreamID) // J1
	at.request = r
	l.active++
	r.checkCancelled()
	return r
}

// letGo ends a request's use of its lane. With waiting, a goroutine still waits for slots of
// the request: the lane gets a new channel.
func (l *Link) letGo(r *Request, waiting bool) {
	l.mu.Lock()
	r.lane.request = nil
	if waiting {
		r.lane.more = make(chan struct{}, 1)
	}
	l.mu.Unlock()
	r.lane.words.LetGo(r.id) // K1: from here on the lane may serve another
	l.end.Notify(r.index)
	if l.handlers == nil {
		l.release()
	}
}

// release gives back the place that take took, and takes the next stream if one waits: it
// returns the request, or delivers it to Next. If there is none the memory may be unmapped
// from here on.
func (l *Link) release() *Request {
	l.mu.Lock()
	l.active--
	r, err := l.take()
	if r != nil && l.handlers == nil {
		l.incoming <- r // has room for all lanes
	}
	l.checkDrained()
	l.checkIdle()
	l.mu.Unlock()
	if err != nil {
		l.close(err)
	}
	return r
}

// reclaimBuffers takes back the buffers of responses that the server has read: from lanes
// whose request has ended, and from lanes whose writer is busy elsewhere.
func (l *Link) reclaimBuffers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.lanes {
		at := &l.lanes[i]
		_ = at.writer.Reclaim() // the lane's own writer finds an error again
		if at.request == nil && at.writer.Outstanding() == 0 {
			at.writer.Empty()
		}
	}
}
