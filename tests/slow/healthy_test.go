//go:build slow

package slow_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A sort of healthy clients. Each of them makes a request so often, whether or not the
// last one was slow.
type sort struct {
	name  string
	from  net.IP
	fresh bool // a connection for each request
	many  int
	every time.Duration
}

var sorts = []sort{
	{"another address", net.IPv4(127, 0, 0, 2), false, 4, 20 * time.Millisecond},
	{"another address, new connections", net.IPv4(127, 0, 0, 3), true, 2, 40 * time.Millisecond},
	{"the same address", net.IPv4(127, 0, 0, 1), false, 4, 20 * time.Millisecond},
	{"the same address, new connections", net.IPv4(127, 0, 0, 1), true, 2, 40 * time.Millisecond},
}

// healthy is clients of every sort, with the connections that they keep.
type healthy struct {
	url     string
	clients [][]*http.Client // of each sort
}

func newHealthy(t *testing.T, url string) *healthy {
	h := &healthy{url: url}
	for _, s := range sorts {
		clients := make([]*http.Client, s.many)
		for i := range clients {
			clients[i] = s.client()
			t.Cleanup(clients[i].CloseIdleConnections)
		}
		h.clients = append(h.clients, clients)
	}
	return h
}

func (s *sort) client() *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: s.from}}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: s.fresh,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		},
	}}
}

// latencies are those of the requests of healthy clients, in order of size.
type latencies struct {
	mu     sync.Mutex
	all    []time.Duration
	failed int
	why    error // the last failure
}

// measure lets healthy clients work for a while, and returns the latencies of each sort.
func (h *healthy) measure(long time.Duration) []*latencies {
	start := time.Now()
	list, _ := h.watch(start, start, long)
	return list
}

// watch is measure for two spans: until a point in time, and after it.
func (h *healthy) watch(start, until time.Time, long time.Duration) (after, before []*latencies) {
	var work sync.WaitGroup
	after, before = make([]*latencies, len(sorts)), make([]*latencies, len(sorts))
	for i := range sorts {
		s := &sorts[i]
		after[i], before[i] = &latencies{}, &latencies{}
		at := func(due time.Time) *latencies {
			if due.Before(until) {
				return before[i]
			}
			return after[i]
		}
		for n, client := range h.clients[i] {
			first := start.Add(s.every * time.Duration(n) / time.Duration(s.many))
			work.Go(func() { s.work(client, h.url, first, start.Add(long), at) })
		}
	}
	work.Wait()
	for _, l := range slices.Concat(after, before) {
		slices.Sort(l.all)
	}
	return after, before
}

// work is one client: it alternates between a download and an upload of 1 KiB. The time
// of each request counts from when it was due; the next one waits for it only if it needs
// its connection.
func (s *sort) work(client *http.Client, url string, due, end time.Time, at func(due time.Time) *latencies) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var requests sync.WaitGroup
	defer requests.Wait()
	for i := 0; due.Before(end); i++ {
		timer.Reset(time.Until(due))
		<-timer.C
		l, since := at(due), due
		ask := func() { l.add(visit(client, url, i), time.Since(since)) }
		if s.fresh {
			requests.Go(ask)
		} else {
			ask()
		}
		due = due.Add(s.every)
	}
}

func (l *latencies) add(err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed, l.why = l.failed+1, err
		return
	}
	l.all = append(l.all, took)
}

func visit(client *http.Client, url string, i int) error {
	response, err := (*http.Response)(nil), error(nil)
	if i%2 == 0 {
		response, err = client.Get(url + "/")
	} else {
		response, err = client.Post(url+"/", "application/octet-stream", strings.NewReader(strings.Repeat("x", 1024)))
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}

// quantile returns the latency that a share of all is not above.
func (l *latencies) quantile(share float64) time.Duration {
	if len(l.all) == 0 {
		return 0
	}
	return l.all[min(int(share*float64(len(l.all))), len(l.all)-1)]
}

func (l *latencies) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	text := fmt.Sprintf("p50 %v, p99 %v, most %v, %d requests", round(l.quantile(0.5)), round(l.quantile(0.99)),
		round(l.quantile(1)), len(l.all))
	if l.failed > 0 {
		text += fmt.Sprintf(", %d failed: %v", l.failed, l.why)
	}
	return text
}
