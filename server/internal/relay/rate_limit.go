package relay

import (
	"hash/maphash"
	"math"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// RateLimit is how many requests a second a client may make.
type RateLimit struct {
	Rate   float64 // 0: any number
	Burst  int
	Header string // the field that names the client; empty: its address does
}

// rateTable bounds how many requests a second each client makes.
type rateTable struct {
	limit  rate.Limit // 0: any number
	burst  int
	header string // names the client; empty: its address does

	seed maphash.Seed // nobody can find values with the same key

	mu      sync.Mutex
	clients map[uint64]*rate.Limiter // by the hash of what names them
}

// mostRates is how many clients the table tells apart at once: about 8 MB.
const mostRates = 1 << 16

// evictFrom is how many clients are looked at to find one that the table forgets.
const evictFrom = 8

func newRateTable(c *RateLimit) *rateTable {
	return &rateTable{
		limit: rate.Limit(c.Rate), burst: max(c.Burst, 1), header: http.CanonicalHeaderKey(c.Header),
		clients: map[uint64]*rate.Limiter{}, seed: maphash.MakeSeed(),
	}
}

// allow reports whether a request comes in time. Clients that cannot be told from others are
// not bounded.
func (t *rateTable) allow(r *http.Request, client *clientInfo) bool {
	return t.limit == 0 || t.take(r, client)
}

// take takes a request from what the client may make now.
func (t *rateTable) take(r *http.Request, client *clientInfo) bool {
	key, ok := t.keyOf(r, client)
	return !ok || t.limiter(key).Allow()
}

// keyOf returns the key of a request's client, which is as short for a long value. It
// reports false if nothing names the client.
func (t *rateTable) keyOf(r *http.Request, client *clientInfo) (key uint64, ok bool) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	if t.header != "" {
		if value := r.Header.Get(t.header); value != "" {
			_ = h.WriteByte('=') // never an address
			_, _ = h.WriteString(value)
			return h.Sum64(), true
		}
	}
	if !client.holder.IsValid() {
		return 0, false
	}
	address := client.holder.Addr().As16()
	_ = h.WriteByte('@')
	_, _ = h.Write(address[:])
	return h.Sum64(), true
}

func (t *rateTable) limiter(key uint64) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.clients[key]; l != nil {
		return l
	}
	if len(t.clients) >= mostRates {
		t.evict()
	}
	l := rate.NewLimiter(t.limit, t.burst)
	t.clients[key] = l
	return l
}

// evict forgets a client: of the first few in the map, the one that has used least of the
// burst. Whoever fills the table has any number of names, and the table does not bound them;
// all others must not have to share what one may have. The caller holds the lock.
func (t *rateTable) evict() {
	var victim uint64
	most, looked := math.Inf(-1), 0
	for key, l := range t.clients {
		if tokens := l.Tokens(); tokens > most {
			victim, most = key, tokens
		}
		if looked++; looked == evictFrom {
			break
		}
	}
	delete(t.clients, victim)
}
