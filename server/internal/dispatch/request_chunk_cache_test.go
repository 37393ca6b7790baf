package dispatch

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// newCache returns a cache of n streams, with small slots.
func newCache(tb testing.TB, n int) *RequestChunkCache {
	tb.Helper()
	config := testConfig()
	config.NumStreams, config.SlotSize, config.SlotsPerStream, config.MaxLinks = n, 4096, 64, 1
	config.Memory = uint64(n)*6*4096*2 + 64<<20
	geometry, err := config.planRequest()
	if err != nil {
		tb.Fatal(err)
	}
	c, err := newRequestChunkCache(geometry, 1, true)
	if err != nil {
		tb.Skip(err) // no memory
	}
	tb.Cleanup(func() { _ = c.segment.Close() })
	return c
}

// addressNumber returns one of many addresses.
func addressNumber(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}

func mustAcquire(tb testing.TB, c *RequestChunkCache, who Client) *Stream {
	tb.Helper()
	s, err := c.acquire(context.Background(), newWaitLimit(0), who, 1, &RequestInfo{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// occupy takes n streams for an address, whose exchanges are served and keep nothing
// waiting.
func occupy(tb testing.TB, c *RequestChunkCache, who Client, n int) (list []*Stream) {
	tb.Helper()
	for range n {
		s := mustAcquire(tb, c, who)
		s.queued.Store(false)
		s.placedAt.Store(shm.Now() - int64(time.Minute))
		list = append(list, s)
	}
	return list
}

// What an unknown client waits for its stream when half are in use: by many
// addresses, or by its own.
func BenchmarkAcquireWhenHalfIsBusy(b *testing.B) {
	for _, n := range []int{2000, 20_000, 100_000} {
		for _, by := range []string{"others", "itself"} {
			b.Run(fmt.Sprintf("%s/%d", by, n), func(b *testing.B) {
				c := newCache(b, n)
				for i := range n/2 + 1 {
					who := NewClient(addressNumber(0), false)
					if by == "others" {
						who = NewClient(addressNumber(1+i/100), false)
					}
					occupy(b, c, who, 1)
				}
				for b.Loop() {
					c.release(mustAcquire(b, c, NewClient(addressNumber(0), false)))
				}
			})
		}
	}
}

// A request without a body needs one buffer: it does not wait behind an upload that needs
// two for the second.
func TestWhoNeedsOneBufferDoesNotWaitForASecond(t *testing.T) {
	c, q := newCache(t, 8), newWaitLimit(10)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var most, one shm.Account
	if !c.pool.Open(&most, c.pool.Stats().Total-1) || !c.pool.Open(&one, 1) {
		t.Fatal("the pool is not empty")
	}
	acquired := func(guarantee, waiting int) chan error {
		result := make(chan error, 1)
		go func() {
			s, err := c.acquire(ctx, q, NewClient(addressNumber(guarantee), false), guarantee, &RequestInfo{})
			if err == nil {
				c.release(s)
			}
			result <- err
		}()
		for q.waiting() < waiting && ctx.Err() == nil {
			runtime.Gosched()
		}
		return result
	}
	upload := acquired(2, 1)
	get := acquired(1, 2)
	one.Close()
	if err := <-get; err != nil {
		t.Errorf("the one that needs one buffer: %v", err)
	}
	most.Close()
	if err := <-upload; err != nil {
		t.Errorf("the one that needs two: %v", err)
	}
}
