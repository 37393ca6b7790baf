package load

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// Latencies are the times that requests took.
type Latencies struct {
	Seconds float64 // length of the measurement
	list    []time.Duration
}

// Count returns how many requests there were.
func (l *Latencies) Count() int { return len(l.list) }

// Percentile returns the latency that p of 100 requests did not exceed.
//
// Preconditions: there was a request.
func (l *Latencies) Percentile(p float64) time.Duration {
	at := int(p / 100 * float64(len(l.list)))
	return l.list[min(at, len(l.list)-1)]
}

// finish ends a measurement.
func (l *Latencies) finish(begun time.Time) *Latencies {
	l.Seconds = time.Since(begun).Seconds()
	slices.Sort(l.list)
	return l
}

// Requests sends small requests over several connections, for a period, and at least one over
// each: on a busy machine a short period may be over before the first request is sent.
func Requests(t *Target, connections int, period time.Duration) (*Latencies, error) {
	if t.Protocol == H1 {
		return pollRequests(t, connections, period)
	}
	open := openLibrary
	if t.plain() {
		open = openSecure
	}
	return manyRequests(t, connections, period, open)
}

// requester makes one request after the other over one connection.
type requester struct {
	request func() error
	close   func()
}

// manyRequests is Requests with a goroutine for each connection.
func manyRequests(
	t *Target, connections int, period time.Duration, open func(*Target) (*requester, error),
) (*Latencies, error) {
	list := make([]*requester, connections)
	for i := range list {
		r, err := open(t)
		if err != nil {
			return nil, err
		}
		defer r.close()
		list[i] = r
	}
	found, failed := make([][]time.Duration, connections), make([]error, connections)
	begun := time.Now()
	var all sync.WaitGroup
	for i, r := range list {
		all.Go(func() { found[i], failed[i] = r.run(begun.Add(period)) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return (&Latencies{list: slices.Concat(found...)}).finish(begun), nil
}

// run makes requests until a time, and at least one.
func (r *requester) run(until time.Time) (found []time.Duration, err error) {
	found = make([]time.Duration, 0, 1<<12)
	for before := time.Now(); len(found) == 0 || before.Before(until); {
		if err := r.request(); err != nil {
			return nil, err
		}
		after := time.Now()
		found = append(found, after.Sub(before))
		before = after
	}
	return found, nil
}

// openLibrary opens an HTTP/2 or HTTP/3 connection.
func openLibrary(t *Target) (*requester, error) {
	l, err := newLibrary(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &requester{request: func() error { return l.hello(ctx) }, close: func() { cancel(); l.close() }}, nil
}

// openSecure opens an HTTP/1.1 connection over TLS.
func openSecure(t *Target) (*requester, error) {
	conn, err := t.dial()
	if err != nil {
		return nil, err
	}
	head, buffer := t.request("GET", "/hello", -1), make([]byte, responseBytes)
	return &requester{request: func() error { return helloOver(conn, head, buffer) },
		close: func() { _ = conn.Close() }}, nil
}

func helloOver(conn net.Conn, head, buffer []byte) error {
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := conn.Write(head); err != nil {
		return err
	}
	for have := 0; ; {
		n, err := conn.Read(buffer[have:])
		have += n
		if done, wrong := parseHello(buffer[:have]); done || wrong != nil {
			return wrong
		}
		if err != nil {
			return err
		}
	}
}
