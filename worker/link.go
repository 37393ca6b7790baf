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

// Link is one attached connection to a server. Its methods may be called from several
// goroutines at once.
type Link struct {
	conn       *net.UnixConn
	welcome    attach.Welcome
	instance   uint64
	requests   *shm.RequestSegment
	responses  *shm.ResponseSegment
	end        *shm.WorkerEnd
	bell       *shm.Eventfd // the server rings it
	serverBell *shm.Eventfd
	pool       *shm.Pool     // response buffers
	incoming   chan *Request // for Next
	handlers   *handlerPool  // for Serve; nil: requests go to incoming

	closed      chan struct{} // closed when the link is
	closeOnce   sync.Once
	closeReason error // read only after closed

	draining    atomic.Bool   // we asked the server for no more requests
	drained     chan struct{} // closed when no more requests come
	drainedOnce sync.Once

	lanes       []lane
	concurrency int // requests served at once; the server assigns some ahead of need

	mu       sync.Mutex
	active   int           // requests in progress, and handlers that look for one
	dead     bool          // take no more requests
	idle     chan struct{} // closed when active is 0; nil: nobody waits for that
	idleOnce sync.Once
}

// Server returns the server's name and version, its process id, and its instance number,
// which differs for every start of a server.
func (l *Link) Server() (name string, pid int, instance uint64) {
	return l.welcome.Server, int(l.welcome.ServerPID), l.instance
}

// SlotSize returns the most bytes that a slot can have.
func (l *Link) SlotSize() int { return l.end.SlotSize() }

// Next returns the next request. It returns [ErrClosed] when the link is closed or the
// server is gone, and ctx's error. Release: the request's End or Abort.
func (l *Link) Next(ctx context.Context) (*Request, error) {
	select {
	case r := <-l.incoming:
		return r, nil
	case <-l.closed:
		return nil, fmt.Errorf("%w: %w", ErrClosed, l.closeReason)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Done is closed when the link is closed or the server is gone.
func (l *Link) Done() <-chan struct{} { return l.closed }

// errClosedHere is the reason of a link that this process has closed.
var errClosedHere = errors.New("closed by this process")

// Close ends the link at once. Requests in progress are cancelled; their memory
// stays mapped until each of them has ended.
func (l *Link) Close() error {
	l.send(&attach.Bye{Reason: "closed"})
	l.close(errClosedHere)
	return nil
}

// Drain asks the server for no more requests, waits until those in progress have
// ended, and closes the link. If ctx ends first it closes the link anyway and
// returns ctx's error.
func (l *Link) Drain(ctx context.Context) error {
	defer l.Close()
	if !l.draining.Swap(true) {
		l.send(&attach.Drain{})
	}
	select {
	case <-l.drained:
	case <-l.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-l.whenIdle():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkDrained closes drained when the link has taken all requests that the server
// assigned before it saw our Drain. The caller holds the link's lock.
func (l *Link) checkDrained() {
	if l.draining.Load() && l.end.State() == shm.LinkDraining && l.end.Inbox.Empty() {
		l.drainedOnce.Do(func() { close(l.drained) })
	}
}

// whenIdle returns a channel that is closed as soon as no request is in progress.
func (l *Link) whenIdle() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle == nil {
		l.idle = make(chan struct{})
		l.checkIdle()
	}
	return l.idle
}

// checkIdle closes idle if no request is in progress. The caller holds the link's lock.
func (l *Link) checkIdle() {
	if l.active == 0 && l.idle != nil {
		l.idleOnce.Do(func() { close(l.idle) })
	}
}

// close ends the link: it cancels the requests in progress. The loop unmaps the memory
// when the last of them has ended.
func (l *Link) close(reason error) {
	l.closeOnce.Do(func() {
		l.closeReason = reason
		close(l.closed)
		_ = l.conn.Close()
		_ = l.bell.Close() // ends the loop
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

// unmap frees the memory of a closed link. Preconditions: the loop has ended and no
// request is in progress.
func (l *Link) unmap() {
	_ = l.serverBell.Close()
	_ = l.responses.Close()
	_ = l.requests.Close()
}

// sendTimeout is how long a message to the server may take.
const sendTimeout = time.Second

// send sends the server a message.
func (l *Link) send(m attach.Message) {
	if packet, err := attach.Encode(m); err == nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
		_, _ = l.conn.Write(packet)
	}
}
