package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// untaken returns a stream of an age, shm.Now, in the inbox of a worker that takes nothing.
func (d *testDispatcher) untaken(l *link, age time.Duration) (s *Stream, now int64) {
	d.t.Helper()
	s = d.stream(false)
	d.assign(l, s)
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	return s, s.assignment.assignedAt + int64(age)
}

// reconsidered reports whether the deadline loop takes a stream back.
func (d *testDispatcher) reconsidered(s *Stream, now int64) bool {
	d.pool.reconsider(s, s.assignment, now, d.inboxTime(d.pool))
	return errors.Is(s.interrupted(), errRevoked)
}

// still is a dispatcher whose deadline loop finds nothing to do, and a link that takes nothing.
func still(t *testing.T, change func(*Config)) (*testDispatcher, *link) {
	t.Helper()
	d := newTestDispatcherWith(t, func(c *Config) {
		c.ResponseTimeout = time.Hour
		change(c)
	})
	l, _ := d.attach()
	return d, l
}

// A worker that hangs keeps nobody who has not begun: the request waits in the queue, before
// its time is up, for whoever can serve it.
func TestAStreamThatNobodyTakesGoesBackToTheQueueBeforeItsTimeIsUp(t *testing.T) {
	d, l := still(t, func(*Config) {})
	s, now := d.untaken(l, time.Hour-2*queueBefore)
	if d.reconsidered(s, now) {
		t.Error("it was taken back though nobody else has room, long before its time is up")
	}
	if !d.reconsidered(s, now+int64(queueBefore)+1) {
		t.Error("it was not taken back a second before its time is up")
	}
	if !s.Retry(errRevoked) {
		t.Fatal("it is not given to another worker")
	}
	ctx, cancel := context.WithCancel(context.Background())
	assigned := make(chan error, 1)
	go func() { assigned <- s.Assign(ctx, d.pool) }()
	second, w := d.attach()
	if err := receive(t, "the second worker", assigned); err != nil || s.served != second {
		t.Errorf("it has %v, %v", s.served, err)
	}
	a, _ := d.take(w, s.id.Load())
	s.Finish(nil)
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
	cancel()
}

func TestWhereNobodyLooksForStuckWorkersAStreamStaysWhereItIs(t *testing.T) {
	d, l := still(t, func(c *Config) { c.StuckAfter = -1 })
	s, now := d.untaken(l, time.Hour-1)
	if d.reconsidered(s, now) {
		t.Error("it was taken back")
	}
	s.Finish(nil)
}

// The queue moves, as another worker serves: what lies in an inbox came before those in it.
func TestAStreamInAnInboxIsNotPassedByTheQueue(t *testing.T) {
	d, l := still(t, func(*Config) {})
	s, now := d.untaken(l, 2*laggingAfter)
	other, _ := d.attach()
	d.pool.mu.Lock()
	other.inflight = 100 // no room
	l.inflight += 100
	d.pool.mu.Unlock()
	if d.reconsidered(s, now) {
		t.Error("it was taken back though nobody has room, and nobody waits")
	}
	waiting := d.stream(true)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- waiting.Assign(ctx, d.pool) }()
	for deadline := time.Now().Add(10 * time.Second); d.PoolLoad("default").Waiting == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	if !d.reconsidered(s, now) {
		t.Error("it was not taken back though the next ones are served before it")
	}
	cancel()
	waiting.Finish(receive(t, "the end of the waiting", over))
	s.Finish(nil)
}

// Where all workers are slow to take, a stream goes round ever more slowly, and in the end
// stays; but not where the link gets no more.
func TestAStreamGoesRoundEverMoreSlowly(t *testing.T) {
	d, l := still(t, func(*Config) {})
	_, _ = d.attach()
	s, _ := d.untaken(l, 0)
	for n := 1; n < mostAttempts; n++ {
		s.attempts = n
		if early := s.assignment.assignedAt + int64(takeBackAfter)<<(n-1) - 1; d.reconsidered(s, early) {
			t.Fatalf("attempt %d is taken back early", n)
		}
	}
	s.attempts = mostAttempts
	if d.reconsidered(s, s.assignment.assignedAt+int64(time.Minute)) {
		t.Error("the last attempt is taken back")
	}
	l.withhold(&retirement{links: 1, done: make(chan struct{})})
	if !d.reconsidered(s, s.assignment.assignedAt+int64(time.Minute)) || !s.mayRetry(errRevoked) {
		t.Error("the last attempt stays at a link that gets no more")
	}
	s.served.finish(s, shm.ReasonInvalid, false)
}
