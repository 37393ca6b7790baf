package server

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rateTable bounds how many requests a second each client makes.
type rateTable struct {
	limit  rate.Limit // 0: any number
	burst  int
	header string // names the client; empty: its address does

	mu      sync.Mutex
	clients map[string]*rate.Limiter
	others  *rate.Limiter // of all that the table has no room for
	forgot  time.Time     // when it was last looked for room
}

// mostRates is how many clients the table tells apart at once.
const mostRates = 1 << 16

// forgetEvery keeps a crowd of clients from having the table looked through for
// each of them.
const forgetEvery = time.Second

func (t *rateTable) init(c *Config) {
	t.limit, t.burst, t.header = rate.Limit(c.RequestRate), max(c.RequestBurst, 1), http.CanonicalHeaderKey(c.RequestRateHeader)
	t.clients, t.others = map[string]*rate.Limiter{}, rate.NewLimiter(t.limit, t.burst)
}

// allow reports whether a request comes in time. Clients that cannot be told from
// others are not bounded.
func (t *rateTable) allow(r *http.Request, o *origin) bool {
	if t.limit == 0 {
		return true
	}
	key := t.keyOf(r, o)
	return key == "" || t.limiter(key).Allow()
}

func (t *rateTable) keyOf(r *http.Request, o *origin) string {
	if t.header != "" {
		if value := r.Header.Get(t.header); value != "" {
			return "=" + value // never an address
		}
	}
	if !o.holder.IsValid() {
		return ""
	}
	return o.holder.String()
}

func (t *rateTable) limiter(key string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.clients[key]; l != nil {
		return l
	}
	if len(t.clients) >= mostRates && time.Since(t.forgot) > forgetEvery {
		t.forget()
	}
	if len(t.clients) >= mostRates {
		return t.others
	}
	l := rate.NewLimiter(t.limit, t.burst)
	t.clients[key] = l
	return l
}

// forget drops the clients that could make a whole burst now, as new ones can. The
// caller holds the lock.
func (t *rateTable) forget() {
	t.forgot = time.Now()
	for key, l := range t.clients {
		if l.Tokens() >= float64(t.burst) {
			delete(t.clients, key)
		}
	}
}
