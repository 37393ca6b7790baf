package dispatch

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// RequestChunkCache holds the request slots of all streams: the request segment,
// its stream table, and its pool of buffers.
type RequestChunkCache struct {
	segment *shm.RequestSegment
	pool    *shm.Pool
	streams []*Stream

	slotSize int

	mu     sync.Mutex
	fair   bool      // an address can keep only so many streams waiting
	free   []*Stream // stack: the row freed last is used first
	held   holdings
	queue  fairQueue
	nextID uint64

	active    atomic.Int64 // streams in use, also those that a worker has not released
	awaiting  atomic.Int64 // streams that wait for their buffers
	scavenged atomic.Int64 // when all lanes were looked at, shm.Now
}

func newRequestChunkCache(g shm.RequestGeometry, instance uint64, fair bool) (*RequestChunkCache, error) {
	segment, err := shm.CreateRequestSegment(g, shm.RequestIdentity{
		Layout: shm.LayoutMax, PID: uint32(os.Getpid()), Hash: shm.LayoutHash(), Instance: instance,
	})
	if err != nil {
		return nil, err
	}
	c := &RequestChunkCache{
		segment: segment, pool: shm.NewPool(g.Buffers), slotSize: int(g.SlotSize), fair: fair,
		// Ids go on from the second of the start, so that they differ between
		// servers that follow one another.
		nextID: uint64(time.Now().Unix()) << 32,
	}
	// A few long uploads must not take what the next ones need to begin.
	c.pool.Promise(min(int(g.Rows)*uploadGuarantee, int(g.Buffers)/2))
	for i := range g.Rows {
		s := newStream(segment.Row(i), segment.NewWriter(i), c)
		c.streams = append(c.streams, s)
		c.free = append(c.free, s)
	}
	return c, nil
}

// acquire returns a stream with a row of its own and a guaranteed number of
// buffers, and waits in the queue for them. Release: release.
func (c *RequestChunkCache) acquire(
	ctx context.Context, l *waitLimit, client Client, guarantee int, info *RequestInfo,
) (*Stream, error) {
	s, err := c.acquireRow(ctx, l, client)
	if err != nil {
		return nil, err
	}
	if !s.request.Open(c.pool, guarantee) {
		if err := c.awaitGuarantee(ctx, l, client, s, guarantee); err != nil {
			c.putBack(s)
			return nil, err
		}
	}
	c.mu.Lock()
	c.nextID++
	s.info = *info
	s.open(c.nextID)
	c.mu.Unlock()
	c.active.Add(1)
	return s, nil
}

func (c *RequestChunkCache) acquireRow(ctx context.Context, l *waitLimit, client Client) (*Stream, error) {
	c.mu.Lock()
	if len(c.free) > 0 && c.queue.size == 0 && c.share(client) != exhausted {
		s := c.take(client)
		c.mu.Unlock()
		return s, nil
	}
	w := newWaiter(client, nil, shm.Now())
	c.queue.push(w, false)
	c.serveQueue()
	c.mu.Unlock()

	result, err := await(ctx, l, w, w.done)
	if err == nil {
		return w.stream, result
	}
	c.leave(w)
	return nil, err
}

// setFair says whether an address can keep only so many streams waiting.
func (c *RequestChunkCache) setFair(fair bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fair = fair
}

// leave takes a waiter out of the queue; a stream that it was just given goes to the next.
func (c *RequestChunkCache) leave(w *waiter) {
	c.mu.Lock()
	left := c.queue.remove(w)
	c.mu.Unlock()
	if !left {
		c.putBack(w.stream)
	}
}

// share returns how a client stands with the streams: its address keeps those waiting, too,
// that wait for a link. The caller holds the lock.
func (c *RequestChunkCache) share(client Client) share {
	all := len(c.streams)
	if !c.fair || all-len(c.free) < fairShare(all) || c.held.few(client, all) {
		return under
	}
	return c.held.share(client, all, shm.Now(), func(look func(*Stream)) {
		for _, s := range c.streams {
			if s.queued.Load() || s.id.Load() != 0 {
				look(s)
			}
		}
	})
}

// take takes a row from the stack. The caller holds the lock.
func (c *RequestChunkCache) take(client Client) *Stream {
	n := len(c.free) - 1
	s := c.free[n]
	c.free = c.free[:n]
	now := shm.Now()
	s.client = client
	s.placedAt.Store(now)
	s.queued.Store(true)
	c.held.add(s, now)
	return s
}

// serveQueue hands out rows to those that wait. The caller holds the lock.
func (c *RequestChunkCache) serveQueue() {
	for len(c.free) > 0 {
		w := c.queue.next(c.share)
		if w == nil {
			return
		}
		c.queue.serve(w)
		w.stream = c.take(w.client)
		w.done <- nil
	}
}

// retryQueue looks again whether somebody in the queue can be served: a client may have
// become faster. Those that wait for buffers are told when some have come back.
func (c *RequestChunkCache) retryQueue() {
	if c.awaiting.Load() > 0 {
		c.scavenge()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serveQueue()
}

// awaitGuarantee waits until the pool can promise the stream its buffers.
func (c *RequestChunkCache) awaitGuarantee(
	ctx context.Context, l *waitLimit, client Client, s *Stream, guarantee int,
) error {
	w := newWaiter(client, s, shm.Now())
	opener := c.pool.NewOpener(guarantee)
	defer opener.Stop()
	c.awaiting.Add(1)
	defer c.awaiting.Add(-1)
	open := func(struct{}) bool {
		c.pool.Await(opener)
		c.scavenge()
		return s.request.OpenAwaited(opener)
	}
	if open(struct{}{}) {
		return nil
	}
	_, err := awaitUseful(ctx, l, w, opener.C, open)
	return err
}

// scavenge takes back the slots that workers have released on every lane: the uploads of
// some may be waiting for their clients and not look. However many wait, that takes a small
// part of the time only; the deadline loop does it for those that come too soon.
func (c *RequestChunkCache) scavenge() {
	now, last := shm.Now(), c.scavenged.Load()
	if now-last < int64(len(c.streams))*int64(goodFor) || !c.scavenged.CompareAndSwap(last, now) {
		return
	}
	for _, s := range c.streams {
		if s.id.Load() != 0 {
			s.reclaim()
		}
	}
}

// release gives a stream's row and buffers back. Preconditions: its worker has
// let go of it or is dead; its upload has ended.
func (c *RequestChunkCache) release(s *Stream) {
	s.close()
	c.active.Add(-1)
	c.putBack(s)
}

// putBack puts a row on the stack, or gives it to the next.
func (c *RequestChunkCache) putBack(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.queued.Store(false)
	s.info = RequestInfo{}
	c.held.remove(s)
	c.free = append(c.free, s)
	c.serveQueue()
}
