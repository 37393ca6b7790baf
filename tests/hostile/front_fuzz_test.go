package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
	"github.com/wavey-ai/upload-response/tests/strict"
	"github.com/wavey-ai/upload-response/worker"
)

// fuzzed is a server whose worker, in the same process, keeps what it sees.
type fuzzed struct {
	*harness.Server
	mu   sync.Mutex
	seen []sighting
}

func startFuzzed(f *testing.F) *fuzzed {
	limits := server.DefaultLimits()
	limits.HeaderTime, limits.IdleTime = 2*time.Second, 2*time.Second
	z := &fuzzed{Server: harness.StartLimited(f, limits, nil)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.Serve(ctx, z.Socket, witness(z.see)) }()
	f.Cleanup(func() {
		stop()
		harness.Check(f, <-ended)
	})
	harness.Eventually(f, "the worker to attach", func() bool { return z.Router.Stats().Links > 0 })
	return z
}

func (z *fuzzed) see(s sighting) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.seen = append(z.seen, s)
}

// send sends a text on a connection of its own and returns what the worker saw of it.
func (z *fuzzed) send(t *testing.T, text []byte) []sighting {
	conn, err := net.Dial("tcp", z.Addr)
	harness.Check(t, err)
	defer conn.Close()
	harness.Check(t, conn.SetDeadline(time.Now().Add(patience)))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = conn.Write(text)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(io.Discard, conn); rawclient.IsTimeout(err) {
		t.Fatal("the server neither answers nor closes the connection")
	}
	<-sent
	z.AwaitRest(t)
	z.mu.Lock()
	defer z.mu.Unlock()
	seen := z.seen
	z.seen = nil
	return seen
}

// Whatever a client sends, a worker sees no request in it but those that a strict reader
// sees there, and each of them as that reads it.
func FuzzAWorkerSeesWhatAStrictReaderSees(f *testing.F) {
	for i, r := range rows() {
		if len(r.send) < 8<<10 {
			f.Add([]byte(as(name(i), r.send+behind)))
		}
	}
	z := startFuzzed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.HasPrefix(text, []byte("PRI * HTTP/2.0\r\n")) {
			return
		}
		seen := z.send(t, text)
		var want []strict.Request
		rest := string(text)
		for {
			r, behind, err := strict.Read(rest)
			if err != nil {
				break
			}
			want, rest = append(want, *r), behind
		}
		if err := sameRequests(seen, want); err != nil {
			t.Fatalf("%v\nseen %+v\na strict reader sees %+v", err, seen, want)
		}
	})
}

// sameRequests reports what a worker saw that a strict reader does not. The last request
// may have broken off. The server may have answered any by itself, and all behind one that
// it refused are lost.
func sameRequests(seen []sighting, want []strict.Request) error {
	for i, s := range seen {
		if s.Broken != "" && i == len(seen)-1 {
			return nil
		}
		err := errors.New("a strict reader sees no more")
		for err != nil && len(want) > 0 {
			err, want = sameRequest(&s, &want[0]), want[1:]
		}
		if s.Broken != "" || err != nil {
			return fmt.Errorf("request %d of the worker's: %w", i, err)
		}
	}
	return nil
}

func sameRequest(s *sighting, w *strict.Request) error {
	target, seen, host := w.Target, s.Target, strings.Join(w.Values("host"), "")
	// RFC 9112 section 3.2.2
	if _, after, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		end := strings.IndexAny(after+"/", "/?")
		target, seen, host = unescaped(after[end:]), unescaped(seen), after[:end]
	}
	switch {
	case s.Method != w.Method, strings.TrimPrefix(seen, "/") != strings.TrimPrefix(target, "/"),
		!strings.EqualFold(s.Host, host):
		return fmt.Errorf("%s %q for %q, want %s %q for %q", s.Method, s.Target, s.Host, w.Method, target, host)
	case s.Body != w.Body:
		return fmt.Errorf("the body %q, want %q", s.Body, w.Body)
	}
	if err := sameFields(s.Header, w.Fields); err != nil {
		return err
	}
	return sameFields(s.Trailer, w.Trailers)
}

// unescaped returns a target without its percent signs: net/http writes that of an absolute
// one anew.
func unescaped(target string) string {
	if text, err := url.PathUnescape(strings.TrimPrefix(target, "/")); err == nil {
		return text
	}
	return target
}

// fromTheServer are the fields that the server sets itself.
var fromTheServer = []string{
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via", "X-Request-Id",
}

// sameFields reports a field that is seen and was not sent, or otherwise. Not all that is
// sent is seen.
func sameFields(seen http.Header, sent []strict.Field) error {
	for name, values := range seen {
		var want []string
		for _, f := range sent {
			if strings.EqualFold(f.Name, name) {
				want = append(want, f.Value)
			}
		}
		if !slices.Contains(fromTheServer, name) && !slices.Equal(values, want) {
			return fmt.Errorf("the field %s is %q, want %q", name, values, want)
		}
	}
	return nil
}
