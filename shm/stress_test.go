package shm

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// randomStreams is a mixture of empty, small and long exchanges.
func randomStreams(random *rand.Rand, n int) []testStream {
	size := func() uint64 {
		switch random.IntN(4) {
		case 0:
			return 0
		case 1:
			return random.Uint64N(100)
		case 2:
			return random.Uint64N(5_000)
		default:
			return random.Uint64N(100_000)
		}
	}
	streams := make([]testStream, n)
	for i := range streams {
		streams[i] = testStream{id: uint64(i + 1), request: size(), response: size(), revoke: random.IntN(8) == 0}
	}
	return streams
}

// Many streams go over memory so small that every ring and every buffer is used
// over and over. Whoever waits relies on its bell: a wake-up that is lost ends
// in the watchdog.
func TestEveryByteArrivesAndNoWakeUpIsLost(t *testing.T) {
	shapes := map[string]sizes{
		"one lane":         {slotSize: 4096, limit: 2, rows: 1, lanes: 1, requestBuffers: 1, responseBuffers: 1},
		"few slots":        fewSlots,
		"many small lanes": {slotSize: 4096, limit: 7, rows: 8, lanes: 8, requestBuffers: 9, responseBuffers: 9},
		"roomy":            {slotSize: 16384, limit: 64, rows: 4, lanes: 4, requestBuffers: 64, responseBuffers: 64},
	}
	for name, shape := range shapes {
		for bell, eventfd := range map[string]bool{"futex": false, "eventfd": true} {
			t.Run(name+"/"+bell, func(t *testing.T) { stress(t, shape, eventfd, 400) })
		}
	}
}

func stress(t *testing.T, shape sizes, eventfd bool, streams int) {
	serverBell := testBell(t)
	var ringer, workerBell *Eventfd
	if eventfd {
		ringer, workerBell = testPeerBell(t)
		if err := workerBell.SetDeadline(time.Now().Add(lostWakeUp)); err != nil {
			t.Fatal(err)
		}
	}
	seed := testSeed(t)
	link := newHeapLinkWithBells(t, shape, serverBell, ringer)
	server := newLoopServer(link.request, link.server, serverBell, seed)
	worker := newLoopWorker(link.worker, workerBell, seed)

	watchdog, cancel := context.WithTimeoutCause(t.Context(), lostWakeUp, errLostWakeUp)
	defer cancel()
	watchdog, fail := context.WithCancelCause(watchdog)
	result := make(chan error, 1)
	go func() {
		err := worker.run()
		if err != nil {
			fail(err)
		}
		result <- err
	}()
	if err := server.run(watchdog, randomStreams(testRand(t), streams)); err != nil {
		t.Error("server:", err)
	}
	if err := <-result; err != nil {
		t.Error("worker:", err)
	}
	if got, want := server.pool.Stats(), (PoolStats{Total: shape.requestBuffers,
		Free: shape.requestBuffers}); got != want {
		t.Errorf("in the end the server's pool is %+v, want %+v", got, want)
	}
	t.Logf("%+v", server.outcomes)
}
