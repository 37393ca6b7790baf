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

	mu      sync.Mutex
	free    []*stream      // stack: the row freed last is used first
	waiting []chan *stream // longest first
	nextID  uint64

	active atomic.Int64 // streams in use, quarantined ones too
}

func newRequestChunkCache(g shm.RequestGeometry, instance uint64) (*RequestChunkCache, error) {
	segment, err := shm.CreateRequestSegment(g, shm.RequestIdentity{
		Layout: shm.LayoutMax, PID: uint32(os.Getpid()), Hash: shm.LayoutHash(), Instance: instance,
	})
	if err != nil {
		return nil, err
	}
	c := &RequestChunkCache{
		segment: segment, pool: shm.NewPool(g.Buffers),
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
func (c *RequestChunkCache) acquire(ctx context.Context, q *queue, guarantee int) (*stream, error) {
	s, err := c.acquireRow(ctx, q)
	if err != nil {
		return nil, err
	}
	if !s.request.Open(c.pool, guarantee) {
		if err := c.awaitGuarantee(ctx, q, s, guarantee); err != nil {
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

func (c *RequestChunkCache) acquireRow(ctx context.Context, q *queue) (*stream, error) {
	c.mu.Lock()
	if n := len(c.free); n > 0 && len(c.waiting) == 0 {
		s := c.free[n-1]
		c.free = c.free[:n-1]
		c.mu.Unlock()
		return s, nil
	}
	place := make(chan *stream, 1)
	c.waiting = append(c.waiting, place)
	c.mu.Unlock()

	s, err := await(ctx, q, place)
	if err != nil {
		c.leave(place)
	}
	return s, err
}

// leave takes a place out of the line; a stream that was just put into it goes
// to the next.
func (c *RequestChunkCache) leave(place chan *stream) {
	c.mu.Lock()
	for i, other := range c.waiting {
		if other == place {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			c.mu.Unlock()
			return
		}
	}
	c.mu.Unlock()
	c.putBack(<-place)
}

// awaitGuarantee waits until the pool can promise the stream its buffers.
func (c *RequestChunkCache) awaitGuarantee(ctx context.Context, q *queue, s *stream, guarantee int) error {
	w := c.pool.NewWaiter()
	defer w.Stop()
	for {
		c.pool.Await(w)
		c.scavenge()
		if s.request.Open(c.pool, guarantee) {
			return nil
		}
		if _, err := await(ctx, q, w.C); err != nil {
			return err
		}
	}
}

// scavenge takes back what workers have released on every lane: the pumps of
// some may be waiting for their clients and not look.
func (c *RequestChunkCache) scavenge() {
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

// putBack puts a row into the hands of the longest waiting, or on the stack.
func (c *RequestChunkCache) putBack(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.free = append(c.free, s)
		return
	}
	place := c.waiting[0]
	c.waiting = append(c.waiting[:0], c.waiting[1:]...)
	place <- s
}
