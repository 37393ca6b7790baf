package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// Link is one attached connection to a server.
type Link struct {
	conn       *net.UnixConn
	welcome    attach.Welcome
	instance   uint64
	requests   *shm.RequestSegment
	responses  *shm.ResponseSegment
	end        *shm.WorkerEnd
	bell       *shm.Eventfd // ours
	serverBell *shm.Eventfd
	pool       *shm.Pool     // response buffers
	incoming   chan *Request // for Next
	hands      *hands        // for Serve

	closed chan struct{} // closed when the link is dead
	once   sync.Once
	why    error // why it is dead; read after closed

	draining    atomic.Bool   // we asked for no more requests
	leaving     chan struct{} // closed when nothing more comes
	leavingOnce sync.Once

	lanes       []lane
	concurrency int // requests served at once; the server assigns some ahead of need

	mu        sync.Mutex
	active    int           // requests in progress, and hands that look for one
	dead      bool          // no more are taken
	quiet     chan struct{} // closed when none is; nil: nobody asked
	quietOnce sync.Once
}

// lane is one lane of the link. The channels are its own, unless somebody still waits for
// more when its request ends: a wake-up that comes late for one request is only a second
// look for the next, but nobody takes the next one's.
type lane struct {
	words    *shm.Lane
	position *shm.Position
	writer   *shm.Writer
	request  *Request      // in progress; under the link's lock
	more     chan struct{} // look for request slots again; under the link's lock
	room     chan struct{} // look for room again; the request's writer takes from it, under its lock
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
	for i := range l.lanes { // each is owed a buffer for good: a busy neighbour cannot take it
		if !l.lanes[i].writer.Open(l.pool, 1) {
			panic("fewer response buffers than lanes")
		}
	}
	l.leaving = make(chan struct{})
}

// Server returns what the server calls itself, its process id, and the instance
// number that differs for every start of a server.
func (l *Link) Server() (name string, pid int, instance uint64) {
	return l.welcome.Server, int(l.welcome.ServerPID), l.instance
}

// SlotSize returns the most bytes that a slot can have.
func (l *Link) SlotSize() int { return l.end.SlotSize() }

// Next returns the next request. It returns [ErrClosed] when the link is closed
// or its server gone, and ctx's error. Release: the request's End or Abort.
func (l *Link) Next(ctx context.Context) (*Request, error) {
	select {
	case r := <-l.incoming:
		return r, nil
	case <-l.closed:
		return nil, fmt.Errorf("%w: %w", ErrClosed, l.why)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Done is closed when the link is closed or its server gone.
func (l *Link) Done() <-chan struct{} { return l.closed }

// errClosedHere is why a link is dead that Close has ended.
var errClosedHere = errors.New("closed by this process")

// Close ends the link at once. Requests in progress are cancelled; their memory
// stays mapped until each of them has ended.
func (l *Link) Close() error {
	l.say(&attach.Bye{Reason: "closed"})
	l.die(errClosedHere)
	return nil
}

// Drain asks the server for no more requests, waits until those in progress have
// ended, and closes the link. If ctx ends first it closes the link anyway and
// returns ctx's error.
func (l *Link) Drain(ctx context.Context) error {
	defer l.Close()
	if !l.draining.Swap(true) {
		l.say(&attach.Drain{})
	}
	select {
	case <-l.leaving: // nothing more comes
	case <-l.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-l.whenQuiet():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whenQuiet returns a channel that is closed as soon as no request is in
// progress.
func (l *Link) whenQuiet() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet == nil {
		l.quiet = make(chan struct{})
		if l.active == 0 {
			l.quietOnce.Do(func() { close(l.quiet) })
		}
	}
	return l.quiet
}

// die ends the link: requests in progress are cancelled, and when the last has
// ended the memory is unmapped.
func (l *Link) die(why error) {
	l.once.Do(func() {
		l.why = why
		close(l.closed)
		_ = l.conn.Close()
		_ = l.bell.Close() // ends run
		l.mu.Lock()
		l.dead = true
		for i := range l.lanes {
			if r := l.lanes[i].request; r != nil {
				r.cancel(shm.ReasonServerGone)
			}
		}
		l.mu.Unlock()
	})
}

// unmap frees the memory of a dead link. Preconditions: run has ended and no
// request is in progress.
func (l *Link) unmap() {
	_ = l.serverBell.Close()
	_ = l.responses.Close()
	_ = l.requests.Close()
}

// say sends the server a message.
func (l *Link) say(m attach.Message) {
	if packet, err := attach.Encode(m); err == nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = l.conn.Write(packet)
	}
}

// run is the link's own goroutine: it takes streams from the inbox, wakes the
// requests that have news, and sleeps on the bell.
func (l *Link) run() {
	go l.control()
	err := l.watch()
	l.die(err)
	l.abortIncoming()
	<-l.whenQuiet()
	if l.hands != nil {
		l.hands.dismiss()
	}
	l.unmap()
}

// abortIncoming ends the requests that nobody has asked for.
func (l *Link) abortIncoming() {
	for {
		select {
		case r := <-l.incoming:
			r.Abort()
		default:
			return
		}
	}
}

func (l *Link) watch() error {
	var state shm.LinkState
	sleep := func() bool { return l.sleep(state) }
	for {
		state = l.end.State()
		if err := l.round(); err != nil {
			return err
		}
		if state == shm.LinkClosed {
			return l.awaitReason()
		}
		l.mu.Lock()
		l.checkLeaving()
		l.mu.Unlock()
		err := l.bell.Wait(sleep)
		l.end.Awake()
		if err != nil {
			return fmt.Errorf("bell: %w", err)
		}
	}
}

// checkLeaving notes when all that the server assigned before it heard of our
// Drain has been taken. The caller holds the link's lock.
func (l *Link) checkLeaving() {
	if l.draining.Load() && l.end.State() == shm.LinkDraining && l.end.Inbox.Empty() {
		l.leavingOnce.Do(func() { close(l.leaving) })
	}
}

// sleep announces that the link is about to sleep, and reports whether it may.
// What waits in the inbox while all are busy is taken by who is done first.
func (l *Link) sleep(state shm.LinkState) bool {
	return l.end.Sleep(shm.AsleepStream|shm.AsleepNotice, state, l.busy) // S1
}

// busy reports whether as many requests are in progress as are served at once.
func (l *Link) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active >= l.concurrency
}

// reasonTime is how long the message that says why a link was closed may take to
// come after the memory says so.
const reasonTime = time.Second

// awaitReason gives the control goroutine time to end the link with the reason
// that the server gives.
func (l *Link) awaitReason() error {
	select {
	case <-l.closed:
	case <-time.After(reasonTime):
	}
	return errors.New("the server has closed the link")
}

// round takes the new streams that there is time for, and passes all news on.
func (l *Link) round() error {
	for {
		l.mu.Lock()
		r, err := l.take()
		if r != nil && l.hands == nil {
			l.incoming <- r
		}
		l.mu.Unlock()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		if l.hands != nil {
			l.hands.give(r)
		}
	}
	all, err := l.end.News(l.wake)
	if all {
		for i := range l.lanes {
			l.wake(uint32(i))
		}
	}
	return err
}

// wake makes the request on a lane look again.
func (l *Link) wake(i uint32) {
	if i >= uint32(len(l.lanes)) {
		return
	}
	at := &l.lanes[i]
	l.mu.Lock()
	defer l.mu.Unlock()
	signal(at.more)
	signal(at.room)
	if at.request != nil {
		at.request.checkCancelled()
	}
}

// errAssignment is why a link is dead whose server assigned a stream to a lane before the
// lane's request had ended. Its response would go on into the other one's.
var errAssignment = errors.New("the server broke the protocol")

// take takes the next stream, or returns nil if there is none or no time for it.
// The caller holds the link's lock. Release: retire.
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
			return nil, fmt.Errorf("%w: stream %d was assigned to lane %d, whose request has not ended", errAssignment, a.StreamID, a.Lane)
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
	r := &Request{link: l, lane: at, index: a.Lane, id: a.StreamID, row: l.end.Row(a.Row), reader: l.end.Reader(a), more: at.more, done: make(chan struct{})}
	at.writer.Reopen() // what the lane's last response left: the server is done with it
	at.writer.BindPosition(at.position, a.StreamID)
	at.words.Accept(a.StreamID) // J1
	at.request = r
	l.active++
	r.checkCancelled()
	return r
}

// letGo ends a request's use of its lane. If there is a leftover, who waits for its slots,
// that one keeps the channel.
func (l *Link) letGo(r *Request, leftover bool) {
	l.mu.Lock()
	r.lane.request = nil
	if leftover {
		r.lane.more = make(chan struct{}, 1)
	}
	l.mu.Unlock()
	r.lane.words.LetGo(r.id) // K1: from here on the lane may serve another
	l.end.Notify(r.index)
	if l.hands == nil {
		l.retire()
	}
}

// retire ends what take began, and takes the next stream if one waits: it returns
// that one, or has it delivered to Next. If there is none the memory may be
// unmapped from here on.
func (l *Link) retire() *Request {
	l.mu.Lock()
	l.active--
	r, err := l.take()
	if r != nil && l.hands == nil {
		l.incoming <- r // has room for all lanes
	}
	l.checkLeaving()
	if l.active == 0 && l.quiet != nil {
		l.quietOnce.Do(func() { close(l.quiet) })
	}
	l.mu.Unlock()
	if err != nil {
		l.die(err)
	}
	return r
}

// scavenge takes back the buffers of responses that the server has read: those of
// lanes whose request has ended, or whose writer is busy elsewhere.
func (l *Link) scavenge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.lanes {
		at := &l.lanes[i]
		_ = at.writer.Reclaim() // an error is found again by the lane's own writer
		if at.request == nil && at.writer.Outstanding() == 0 {
			at.writer.Empty()
		}
	}
}

// control reads the server's messages. The end of the connection is how the death
// of the server is noticed.
func (l *Link) control() {
	packet := make([]byte, attach.MaxMessage+1)
	for {
		n, err := l.conn.Read(packet)
		if err != nil || n == 0 {
			l.die(errors.New("the server is gone"))
			return
		}
		message, err := attach.Decode(packet[:n])
		switch m := message.(type) {
		case *attach.Drain: // the server finishes what is running, and so do we
		case *attach.Bye:
			l.die(fmt.Errorf("the server said goodbye: %s", m.Reason))
			return
		case *attach.Refusal:
			l.die(m)
			return
		default:
			l.die(fmt.Errorf("unexpected message from the server: %w", err))
			return
		}
	}
}

// signal leaves a token in a channel of one, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
