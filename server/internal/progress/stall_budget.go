package progress

import "time"

// stallBudget is how long the server may still wait for a client while others wait for its
// stream or lane. It runs down while the server waits; bytes that move meanwhile give some
// of it back.
type stallBudget struct {
	stream  uint64 // the stream with this budget
	checked int64  // when, shm.Now
	left    time.Duration
	moved   uint64 // bytes, at the last check, if counted
	counted wait
}

// budgetRate is how many bytes a second keep a budget from running down, and budgetEvery
// how often it is checked.
const (
	budgetRate  = 1 << 10
	budgetEvery = 50 * time.Millisecond
)

// budgetUsed is how much of its budget makes a client count as slow.
const budgetUsed = 100 * time.Millisecond

// BudgetLeft returns what is left of the budget of a stream, of which most is the whole.
// Preconditions: only the deadline loop calls it.
func (x *Exchange) BudgetLeft(stream uint64, most time.Duration) time.Duration {
	if x.budget.stream != stream {
		return most
	}
	return x.budget.left
}

// checkBudget brings the budget of a stream up to date.
func (x *Exchange) checkBudget(stream uint64, now int64, most time.Duration) {
	b := &x.budget
	if b.stream != stream {
		*b = stallBudget{stream: stream, checked: now, left: most}
	}
	if now-b.checked < int64(budgetEvery) {
		return
	}
	before, counted := b.moved, b.counted
	var since int64
	b.counted, since = x.waits()
	waited := now - max(since, b.checked)
	b.checked = now
	if b.counted == noWait || waited <= 0 {
		b.counted = noWait
		return
	}
	b.moved = x.moved(b.counted)
	b.left -= time.Duration(waited)
	if b.counted == counted && b.moved > before {
		b.left += time.Duration(min(b.moved-before, budgetRate<<10)) * (time.Second / budgetRate)
	}
	b.left = max(min(b.left, most), 0)
	slow := b.left < most-budgetUsed
	x.slow.Store(slow)
	if slow {
		x.wasSlow.Store(true)
	}
}
