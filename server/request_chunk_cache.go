package server

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
	streams []*stream

	shared bool // an address can keep only so many streams waiting

	mu     sync.Mutex
	free   []*stream // stack: the row freed last is used first
	held   holdings
	line   line
	nextID uint64

	active    atomic.Int64 // streams in use, quarantined ones too
	awaiting  atomic.Int64 // streams that wait for their buffers
	scavenged atomic.Int64 // when all lanes were looked at, shm.Now
	reclaimed int64        // when all streams were looked at for slow clients; the clock's
}

func newRequestChunkCache(g shm.RequestGeometry, instance uint64, shared bool) (*RequestChunkCache, error) {
	segment, err := shm.CreateRequestSegment(g, shm.RequestIdentity{
		Layout: shm.LayoutMax, PID: uint32(os.Getpid()), Hash: shm.LayoutHash(), Instance: instance,
	})
	if err != nil {
		return nil, err
	}
	c := &RequestChunkCache{
		segment: segment, pool: shm.NewPool(g.Buffers), shared: shared,
		// Ids go on from the second of the start, so that they differ between
		// servers that follow one another.
		nextID: uint64(time.Now().Unix()) << 32,
	}
	// A few long uploads must not take what the next ones need to begin.
	c.pool.Promise(min(int(g.Rows)*requestGuarantee, int(g.Buffers)/2))
	for i := range g.Rows {
		s := newStream(segment.Row(i), segment.NewWriter(i))
		c.streams = append(c.streams, s)
		c.free = append(c.free, s)
	}
	return c, nil
}

// acquire returns a stream with a row of its own and a guaranteed number of
// buffers, waiting in line for them. Release: release.
func (c *RequestChunkCache) acquire(ctx context.Context, q *queue, who client, guarantee int) (*stream, error) {
	s, err := c.acquireRow(ctx, q, who)
	if err != nil {
		return nil, err
	}
	if !s.request.Open(c.pool, guarantee) {
		if err := c.awaitGuarantee(ctx, q, who, s, guarantee); err != nil {
			c.putBack(s)
			return nil, err
		}
	}
	c.mu.Lock()
	c.nextID++
	s.open(c.nextID)
	c.mu.Unlock()
	c.active.Add(1)
	return s, nil
}

func (c *RequestChunkCache) acquireRow(ctx context.Context, q *queue, who client) (*stream, error) {
	c.mu.Lock()
	if len(c.free) > 0 && c.line.size == 0 && c.standing(who) != full {
		s := c.take(who)
		c.mu.Unlock()
		return s, nil
	}
	t := newTicket(who, nil, shm.Now())
	c.line.push(t, false)
	c.serveLine()
	c.mu.Unlock()

	result, err := await(ctx, q, t, t.done)
	if err == nil {
		return t.stream, result
	}
	c.leave(t)
	return nil, err
}

// leave takes a ticket out of the line; a stream that it was just given goes to the
// next.
func (c *RequestChunkCache) leave(t *ticket) {
	c.mu.Lock()
	left := c.line.remove(t)
	c.mu.Unlock()
	if !left {
		c.putBack(t.stream)
	}
}

// standing returns how a client stands with the streams: its address keeps those waiting
// with which it waits for a link, too. The caller holds the lock.
func (c *RequestChunkCache) standing(who client) standing {
	all := len(c.streams)
	if !c.shared || all-len(c.free) < shareOf(all) || c.held.few(who, all) {
		return within
	}
	return c.held.standing(who, all, shm.Now(), func(look func(*stream)) {
		for _, s := range c.streams {
			if s.queued.Load() || s.id.Load() != 0 {
				look(s)
			}
		}
	})
}

// take takes a row from the stack. The caller holds the lock.
func (c *RequestChunkCache) take(who client) *stream {
	n := len(c.free) - 1
	s := c.free[n]
	c.free = c.free[:n]
	now := shm.Now()
	s.client = who
	s.placed.Store(now)
	s.queued.Store(true)
	c.held.enter(s, now)
	return s
}

// serveLine hands out rows to those who wait. The caller holds the lock.
func (c *RequestChunkCache) serveLine() {
	for len(c.free) > 0 {
		t := c.line.next(c.standing)
		if t == nil {
			return
		}
		c.line.serve(t)
		t.stream = c.take(t.client)
		t.done <- nil
	}
}

// tick looks again whether somebody in the line can be served: a client may have become
// faster. Those who wait for buffers are told of what has come back.
func (c *RequestChunkCache) tick() {
	if c.awaiting.Load() > 0 {
		c.scavenge()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serveLine()
}

// awaitGuarantee waits until the pool can promise the stream its buffers.
func (c *RequestChunkCache) awaitGuarantee(ctx context.Context, q *queue, who client, s *stream, guarantee int) error {
	t := newTicket(who, s, shm.Now())
	w := c.pool.NewOpener(guarantee)
	defer w.Stop()
	c.awaiting.Add(1)
	defer c.awaiting.Add(-1)
	open := func(struct{}) bool {
		c.pool.Await(w)
		c.scavenge()
		return s.request.OpenAwaited(w)
	}
	if open(struct{}{}) {
		return nil
	}
	_, err := awaitUse(ctx, q, t, w.C, open)
	return err
}

// scavenge takes back what workers have released on every lane: the pumps of
// some may be waiting for their clients and not look. However many wait, that takes a
// small part of the time only; the clock does it for those who come too soon.
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
// let go of it or is dead; its pump has ended.
func (c *RequestChunkCache) release(s *stream) {
	s.close()
	c.active.Add(-1)
	c.putBack(s)
}

// putBack puts a row on the stack, or into the hands of who is next.
func (c *RequestChunkCache) putBack(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.queued.Store(false)
	c.held.leave(s)
	c.free = append(c.free, s)
	c.serveLine()
}
