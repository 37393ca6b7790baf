package supervise_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// task is what a healthy client does.
type task struct {
	method, path string
	most         int  // bytes of the body
	idempotent   bool // and whole in memory before it is served
}

var tasks = []task{
	{http.MethodGet, "/ok", 0, true}, {http.MethodGet, "/ok", 0, true}, {http.MethodPut, "/echo", 4 << 10, true},
	{http.MethodPost, "/echo", 4 << 10, false}, {http.MethodPost, "/echo", 512 << 10, false},
}

// outcome is what came of a request.
type outcome struct {
	task         task
	begun, ended time.Time
	status       int   // 0: there was no response
	err          error // it broke off, or had another body than it should
}

func (o *outcome) failed() bool { return o.err != nil || o.status != http.StatusOK }

// seen returns the status, 0 if the response broke off.
func (o *outcome) seen() int {
	if o.err != nil {
		return 0
	}
	return o.status
}

func (o *outcome) String() string {
	return fmt.Sprintf("%s %s: status %d, %v, from %s for %v", o.task.method, o.task.path, o.status, o.err,
		o.begun.Format("05.000"), o.ended.Sub(o.begun).Round(time.Millisecond))
}

// load is clients that send healthy requests all the time.
type load struct {
	server  *server
	over    atomic.Bool
	running sync.WaitGroup

	mu  sync.Mutex
	all []outcome
}

// clients is how many there are: fewer than a process serves at once.
const clients = 3

// startLoad starts the clients. Release: stop.
func startLoad(s *server, seed uint64) *load {
	l := &load{server: s}
	for i := range clients {
		l.running.Go(func() {
			transport := &http.Transport{DisableCompression: true}
			defer transport.CloseIdleConnections()
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			client := &http.Client{Transport: transport, Timeout: harness.Patience}
			for !l.over.Load() {
				l.do(client, random)
				time.Sleep(5 * time.Millisecond) // a pace, which leaves the machine some air
			}
		})
	}
	return l
}

func (l *load) do(client *http.Client, random *rand.Rand) {
	o := outcome{task: tasks[random.IntN(len(tasks))], begun: time.Now()}
	var body []byte
	want := "ok\n"
	if o.task.most > 0 {
		body = bytes.Repeat([]byte{byte(random.Uint32())}, 1+random.IntN(o.task.most))
		want = string(body)
	}
	request, err := http.NewRequestWithContext(context.Background(), o.task.method, l.server.url+o.task.path,
		bytes.NewReader(body))
	if err == nil {
		request.GetBody = nil // the client must not send it again by itself
		o.status, o.err = exchange(client, request, want)
	}
	o.ended = time.Now()
	l.server.note(o.seen())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, o)
}

// exchange sends a request, and returns the status of the response. It returns an error if
// the response has another body than wanted.
func exchange(client *http.Client, request *http.Request, want string) (status int, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode == http.StatusOK && string(body) != want {
		err = fmt.Errorf("a body of %d bytes, want %d", len(body), len(want))
	}
	return response.StatusCode, err
}

// stop lets the clients finish.
func (l *load) stop() {
	l.over.Store(true)
	l.running.Wait()
}

// outcomes returns those of the requests that have ended.
func (l *load) outcomes() []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]outcome(nil), l.all...)
}

// awaitServed waits until n requests have been served that began after a time, and returns
// when the first of them was.
func (l *load) awaitServed(t testing.TB, since time.Time, n int) (first time.Time) {
	t.Helper()
	harness.Eventually(t, "healthy requests to be served", func() bool {
		served := 0
		first = time.Time{}
		for _, o := range l.outcomes() {
			if o.begun.Before(since) || o.failed() {
				continue
			}
			if served++; first.IsZero() || o.ended.Before(first) {
				first = o.ended
			}
		}
		return served >= n
	})
	return first
}

// longestGap returns the longest time between two healthy responses after a time.
func longestGap(all []outcome, since time.Time) (gap time.Duration) {
	last := since
	for _, o := range all { // in the order of their ends
		if o.failed() || o.ended.Before(since) {
			continue
		}
		gap = max(gap, o.ended.Sub(last))
		last = o.ended
	}
	return gap
}

// longestGapBefore is longestGap of what ended before a time.
func longestGapBefore(all []outcome, since, before time.Time) time.Duration {
	return longestGap(slices.DeleteFunc(all, func(o outcome) bool { return o.ended.After(before) }), since)
}

// describe returns a line for each outcome.
func describe(all []outcome) string {
	var b strings.Builder
	for i, o := range all {
		if i == 20 {
			fmt.Fprintf(&b, "and %d more\n", len(all)-i)
			break
		}
		fmt.Fprintln(&b, o.String())
	}
	return b.String()
}
