// Package nethttp_test runs the same handlers under net/http and under worker.Serve, and
// compares what clients and handlers see. The model is net/http over HTTP/1.1: worker.Serve
// does the same whatever version the client speaks, where net/http has a way of its own
// for HTTP/2 in small things. What differs on purpose, the case says, and why.
package nethttp_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"handlers": func() {
		err := worker.Serve(context.Background(), os.Getenv(harness.SocketVariable), newSurface(),
			worker.WithLog(slog.New(slog.DiscardHandler)))
		fmt.Println(err)
	}})
}

// quiet is the log of those who complain of what is meant to be.
var quiet = log.New(io.Discard, "", 0)

// surface serves the handlers of all cases, and remembers what they noted.
type surface struct {
	mux http.ServeMux

	mu    sync.Mutex
	notes map[string]*notes
}

// caseHandler is the handler of a case, which notes what it sees.
type caseHandler = func(http.ResponseWriter, *http.Request, *notes)

// notes are what one run of a handler saw.
type notes struct {
	mu    sync.Mutex
	lines []string
	once  sync.Once       // a client may try again
	done  chan struct{}   // closed when the handler has returned
	after <-chan struct{} // what the handler left behind ends; may be nil
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func newSurface() http.Handler {
	s := &surface{notes: map[string]*notes{}}
	s.mux.HandleFunc("/case/{name}", func(w http.ResponseWriter, r *http.Request) {
		n := s.of(r.URL.Query().Get("id"))
		defer n.once.Do(func() { close(n.done) })
		for _, c := range cases {
			if c.name == r.PathValue("name") {
				c.handler(w, r, n)
			}
		}
	})
	s.mux.HandleFunc("/noted", func(w http.ResponseWriter, r *http.Request) {
		n := s.of(r.URL.Query().Get("id"))
		<-n.done
		if n.after != nil {
			<-n.after
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		_ = json.NewEncoder(w).Encode(n.lines)
	})
	return &s.mux
}

func (s *surface) of(id string) *notes {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes[id] == nil {
		s.notes[id] = &notes{done: make(chan struct{})}
	}
	return s.notes[id]
}

// named returns the name of an error that handlers look for, or that it is one.
func named(err error) string {
	for name, known := range map[string]error{
		"none": nil, "ErrBodyNotAllowed": http.ErrBodyNotAllowed, "ErrContentLength": http.ErrContentLength,
		"ErrNotSupported":     http.ErrNotSupported,
		"ErrDeadlineExceeded": os.ErrDeadlineExceeded, "ErrBodyReadAfterClose": http.ErrBodyReadAfterClose,
		"EOF": io.EOF, "Canceled": context.Canceled,
	} {
		if errors.Is(err, known) {
			return name
		}
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return "MaxBytesError"
	}
	return "another error"
}

// outcome is what there is to be seen of one exchange.
type outcome struct {
	Failed  bool // there was no response
	Status  int
	Header  http.Header
	Body    string
	Broken  bool // the body broke off
	Trailer http.Header
	Noted   []string
}

// ours are fields of responses that the server says itself.
var ours = []string{"Date", "Via", "Alt-Svc", "X-Request-Id"}

// run sends a case's request and returns what came of it.
func run(t *testing.T, client *http.Client, url, id string, c *testCase) *outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	method := c.method
	if method == "" {
		method = http.MethodGet
	}
	var body io.Reader
	if c.body != nil {
		body = c.body()
	}
	request, err := http.NewRequestWithContext(ctx, method,
		url+"/case/"+neturl.PathEscape(c.name)+"?id="+neturl.QueryEscape(id)+c.query, body)
	harness.Check(t, err)
	request.Header.Set("User-Agent", "test")
	if c.request != nil {
		c.request(request)
	}
	o := &outcome{}
	response, err := client.Do(request)
	if err != nil {
		o.Failed = true
	} else {
		o.read(response, c, cancel)
	}
	noted, err := client.Get(url + "/noted?id=" + neturl.QueryEscape(id))
	harness.Check(t, err)
	harness.Check(t, json.Unmarshal(harness.ReadAll(t, noted.Body), &o.Noted))
	return o
}

func (o *outcome) read(response *http.Response, c *testCase, cancel func()) {
	defer response.Body.Close()
	o.Status, o.Header = response.StatusCode, response.Header
	if c.length {
		o.Header.Del("Content-Length")
	}
	for _, name := range ours {
		o.Header.Del(name)
	}
	o.Trailer = maps.Clone(response.Trailer) // announced
	if c.leaves {
		_, _ = response.Body.Read(make([]byte, 1))
		cancel()
		return
	}
	b, err := io.ReadAll(response.Body)
	o.Body, o.Broken = string(b), err != nil
	announced := slices.Sorted(maps.Keys(o.Trailer))
	o.Trailer = http.Header{"announced": announced}
	maps.Copy(o.Trailer, response.Trailer)
}

func TestHandlersAndTheirClientsSeeWhatTheySeeUnderNetHTTP(t *testing.T) {
	reference := startNetHTTP(t)
	s := harness.Start(t, nil)
	s.StartWorker(t, "handlers")
	secure := s.Secure(t)
	model := harness.NewClient(t, 1, nil)
	clients := []*http.Client{
		harness.NewClient(t, 1, nil), harness.NewClient(t, 2, nil),
		harness.NewClient(t, 3, &tls.Config{RootCAs: secure.Roots}),
	}
	for i := range cases {
		c := &cases[i]
		t.Run(c.name, func(t *testing.T) {
			for major := 1; major <= 3; major++ {
				url := s.URL
				if major == 3 {
					url = secure.URL
				}
				id := fmt.Sprint(c.name, major)
				want, got := run(t, model, reference, id, c), run(t, clients[major-1], url, id, c)
				c.adjust(t, major, want)
				// a reset may overtake what was sent before it (RFC 9000 section 19.4)
				if major == 3 && want.Broken && (got.Broken || got.Failed) {
					want.Broken, want.Failed, want.Status, want.Header, want.Body, want.Trailer = got.Broken,
						got.Failed, got.Status, got.Header, got.Body, got.Trailer
				}
				compare(t, fmt.Sprintf("HTTP/%d", major), got, want)
			}
		})
	}
}

// adjust applies what differs on purpose, and wants it to differ.
func (c *testCase) adjust(t *testing.T, major int, want *outcome) {
	t.Helper()
	for _, d := range c.differs {
		if len(d.majors) > 0 && !slices.Contains(d.majors, major) {
			continue
		}
		before := fmt.Sprintf("%+v", *want)
		if d.how(want); fmt.Sprintf("%+v", *want) == before {
			t.Errorf("HTTP/%d: no difference any more where there was one: %s", major, d.why)
		}
	}
}

func compare(t *testing.T, version string, got, want *outcome) {
	t.Helper()
	g, w := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range g.NumField() {
		if a, b := g.Field(i).Interface(), w.Field(i).Interface(); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: %s is %.300q under worker.Serve, %.300q under net/http", version, g.Type().Field(i).Name,
				fmt.Sprint(a), fmt.Sprint(b))
		}
	}
}

// startNetHTTP serves the same handlers with net/http, and returns its URL.
func startNetHTTP(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	s := &http.Server{Handler: newSurface(), Protocols: new(http.Protocols), ErrorLog: quiet}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + listener.Addr().String()
}
