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
	"time"
)

// Healthy clients are so many, and each makes a request so often.
const (
	healthyClients = 8
	healthyEvery   = 5 * time.Millisecond
)

// latencies are those of the requests of healthy clients, in order of size.
type latencies struct {
	all    []time.Duration
	failed int
}

// measure lets healthy clients work for a while. They come from another address than
// the slow ones, and have their connections already.
func measure(url string, long time.Duration) *latencies {
	l := &latencies{}
	var mu sync.Mutex
	var clients sync.WaitGroup
	end := time.Now().Add(long)
	for range healthyClients {
		clients.Go(func() {
			own, failed := healthy(url, end)
			mu.Lock()
			defer mu.Unlock()
			l.all, l.failed = append(l.all, own...), l.failed+failed
		})
	}
	clients.Wait()
	slices.Sort(l.all)
	return l
}

// healthy is one client: it alternates between a download and an upload of 1 KiB.
func healthy(url string, end time.Time) (own []time.Duration, failed int) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	ticker := time.NewTicker(healthyEvery)
	defer ticker.Stop()
	for i := 0; time.Now().Before(end); i++ {
		<-ticker.C
		start := time.Now()
		err := visit(client, url, i)
		if took := time.Since(start); err != nil {
			failed++
		} else if i > 0 { // the first has to connect
			own = append(own, took)
		}
	}
	return own, failed
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
	return fmt.Sprintf("p50 %v, p99 %v, most %v, %d requests, %d failed", round(l.quantile(0.5)), round(l.quantile(0.99)), round(l.quantile(1)), len(l.all), l.failed)
}
