package conn

import (
	"net/netip"
	"sync"
)

// Budget bounds what HTTP/2 and 3 keep of request bodies that have come in and have not
// been read: it lies on the heap, and not in the shared memory. Clients may send as much as
// their flow control windows let them, before the server looks at the request.
type Budget struct {
	mu    sync.Mutex
	total int64 // 0: no bound
	used  int64
	parts map[netip.Prefix]int64 // of it, by client
}

// NewBudget returns a budget of so many bytes; 0 is no bound.
func NewBudget(total int64) *Budget { return &Budget{total: total} }

// SetTotal changes the budget. What is taken stays taken, also if it is more.
func (b *Budget) SetTotal(total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total = total
}

// Take takes n bytes for a client, and reports whether the budget has them. A client gets no
// more than it leaves free, so that k clients together leave 1/(k+1) of the budget; the zero
// value is that of requests without an address, and of trusted proxies.
func (b *Budget) Take(client netip.Prefix, n int64) bool { return b.take(client, n, 1) }

// TakeOfHalf takes n bytes if they are in the first half of the budget, see Take.
func (b *Budget) TakeOfHalf(client netip.Prefix, n int64) bool { return b.take(client, n, 2) }

// take takes n bytes if they are in a part of the budget.
func (b *Budget) take(client netip.Prefix, n, part int64) bool {
	if n == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	has, free := b.parts[client], b.total/part-b.used-n
	if b.total > 0 && (free < 0 || client.IsValid() && has > 0 && has+n > free) {
		return false
	}
	if b.parts == nil {
		b.parts = map[netip.Prefix]int64{}
	}
	b.used += n
	b.parts[client] += n
	return true
}

// Give gives n bytes back.
func (b *Budget) Give(client netip.Prefix, n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.parts[client] -= n; b.parts[client] == 0 {
		delete(b.parts, client)
	}
}
