package upgrade_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// load is clients that send requests, one after the other each, until the test ends them.
type load struct {
	t       testing.TB
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	kinds   []*kind

	mu       sync.Mutex
	failures []string
}

// kind is one kind of clients.
type kind struct {
	name string
	done atomic.Int64
}

// startLoad starts clients of every kind.
func startLoad(s *site) *load {
	l := &load{t: s.t}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	s.t.Cleanup(l.cancel)
	once := harness.NewClient(s.t, 1, nil)
	once.Transport.(*http.Transport).DisableKeepAlives = true
	onceSecure := harness.NewClient(s.t, 1, trusting())
	onceSecure.Transport.(*http.Transport).DisableKeepAlives = true
	l.clients("HTTP/1.1, a connection each", 2, func() error { return exchange(l.ctx, once, s.clear) })
	l.clients("HTTP/1.1 over TLS, a connection each", 1, func() error { return exchange(l.ctx, onceSecure, s.secure) })
	kept := harness.NewClient(s.t, 1, nil)
	l.clients("HTTP/1.1, kept connections", 2, func() error { return exchange(l.ctx, kept, s.clear) })
	two := harness.NewClient(s.t, 2, trusting())
	l.clients("HTTP/2", 3, func() error { return exchange(l.ctx, two, s.secure) })
	clearTwo := harness.NewClient(s.t, 2, nil)
	l.clients("HTTP/2 in the clear", 2, func() error { return exchange(l.ctx, clearTwo, s.clear) })
	three := harness.NewClient(s.t, 3, trusting())
	l.clients("HTTP/3", 2, func() error { return exchange(l.ctx, three, s.secure) })
	l.clients("HTTP/3, a connection each", 1, func() error {
		client := harness.NewClient(l.t, 3, trusting())
		defer client.CloseIdleConnections()
		return exchange(l.ctx, client, s.secure)
	})
	l.clients("WebSocket", 2, func() error { return talk(strings.TrimPrefix(s.clear, "http://")) })
	return l
}

// clients starts so many of a kind.
func (l *load) clients(name string, n int, request func() error) {
	k := &kind{name: name}
	l.kinds = append(l.kinds, k)
	for range n {
		l.running.Go(func() {
			for l.ctx.Err() == nil {
				if err := request(); err != nil && l.ctx.Err() == nil {
					l.fail(name, err)
				}
				k.done.Add(1)
				time.Sleep(2 * time.Millisecond) // the rate, not a wait
			}
		})
	}
}

func (l *load) fail(name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 20 {
		l.failures = append(l.failures, name+": "+err.Error())
	}
}

// awaitMore waits until clients of each kind have sent some more requests.
func (l *load) awaitMore() {
	l.t.Helper()
	before := make([]int64, len(l.kinds))
	for i, k := range l.kinds {
		before[i] = k.done.Load()
	}
	for i, k := range l.kinds {
		harness.Eventually(l.t, "requests over "+k.name, func() bool { return k.done.Load() > before[i]+10 })
	}
}

// end ends the clients, and checks that no request has failed.
func (l *load) end() {
	l.t.Helper()
	l.cancel()
	l.running.Wait()
	total := int64(0)
	for _, k := range l.kinds {
		total += k.done.Load()
		l.t.Logf("%s: %d requests", k.name, k.done.Load())
	}
	if len(l.failures) > 0 {
		l.t.Errorf("of %d requests failed, and perhaps more:\n%s", total, strings.Join(l.failures, "\n"))
	}
}

// exchange sends a body, which comes back.
func exchange(ctx context.Context, client *http.Client, url string) error {
	body := make([]byte, 2000)
	_, _ = rand.Read(body)
	ctx, cancel := context.WithTimeout(ctx, harness.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK || !bytes.Equal(got, body):
		return fmt.Errorf("status %d, %d bytes", response.StatusCode, len(got))
	}
	return nil
}

// talk opens a WebSocket, and sends messages that come back.
func talk(addr string) error {
	c, err := openSocket(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range 5 {
		if err := say(c, fmt.Sprintf("message %d", i)); err != nil {
			return err
		}
	}
	return nil
}

// openSocket opens a WebSocket.
func openSocket(addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	c, _, _, err := ws.Dial(ctx, "ws://"+addr+"/")
	if err == nil {
		err = c.SetDeadline(time.Now().Add(2 * harness.Patience))
	}
	return c, err
}

// say sends a message that comes back.
func say(c net.Conn, text string) error {
	if err := ws.WriteFrame(c, ws.MaskFrame(ws.NewTextFrame([]byte(text)))); err != nil {
		return err
	}
	f, err := ws.ReadFrame(c) //nolint:staticcheck // the server under test decides how long frames are
	if err != nil {
		return err
	}
	if f.Header.OpCode != ws.OpText || string(f.Payload) != text {
		return fmt.Errorf("a frame of kind %d with %q, want %q", f.Header.OpCode, f.Payload, text)
	}
	return nil
}
