package e2etest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// The environment of the app role.
const (
	PoolVariable  = "E2E_POOL"
	LanesVariable = "E2E_LANES"
	NameVariable  = "E2E_NAME"
)

// runApp is the worker of most tests: an ordinary http.Handler that prints every
// request it sees, and what the tests want to know of it.
func runApp() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	options := []worker.Option{worker.WithLog(slog.New(slog.NewTextHandler(os.Stderr, nil)))}
	if pool := os.Getenv(PoolVariable); pool != "" {
		options = append(options, worker.WithPool(pool))
	}
	if lanes, err := strconv.Atoi(os.Getenv(LanesVariable)); err == nil {
		options = append(options, worker.WithLanes(lanes))
	}
	routes := appRoutes()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		say(">> %s %s", r.Method, r.RequestURI)
		routes.ServeHTTP(w, r)
	})
	if err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), handler, options...); err != nil {
		say("serve: %v", err)
		os.Exit(1)
	}
	say("served")
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// appRoutes returns the app's handler. Other paths go to other.
func appRoutes() http.Handler {
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"/echo": echo, "/copy": copyBody, "/read-from": readFrom, "/digest": digest, "/hold": hold, "/upload": upload,
		"/seen": seen, "/reply": reply, "/early": early, "/events": events, "/trailers": trailers,
		"/wait": wait, "/flood": flood, "/panic": panicking, "/abort": aborting, "/reply-big": replyBig,
		"/at-once": atOnce,
		"/hints":   hints, "/socket": socketEcho, "/mortal/socket": socketEcho, "/file": file, "/socket-bye": socketBye,
	} {
		mux.HandleFunc(path, handler)
	}
	mux.Handle("/strip/", http.StripPrefix("/strip", http.HandlerFunc(trailers)))
	mux.HandleFunc("/", other)
	return mux
}

// prompt sends every write at once.
type prompt struct{ w http.ResponseWriter }

func (p prompt) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	return n, errors.Join(err, http.NewResponseController(p.w).Flush())
}

// echo sends the body back as it comes in.
func echo(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).Flush()
	n, err := io.Copy(prompt{w}, r.Body)
	say("echo %s: %d bytes, %v", r.URL.Query().Get("id"), n, err)
}

// copyBody and readFrom send the body back without a Flush, by the two ways that
// io.Copy has.
func copyBody(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

func readFrom(w http.ResponseWriter, r *http.Request) {
	_, _ = w.(io.ReaderFrom).ReadFrom(struct{ io.Reader }{r.Body})
}

// Digested is the answer of digest.
type Digested struct {
	SHA256 string
	Bytes  int64
}

func digest(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(Digested{hex.EncodeToString(sum.Sum(nil)), n})
}

// hold answers at once, and ends its answer when the upload has ended: so the
// client decides how long it takes.
func hold(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).Flush()
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "held %d, %v", n, err)
}

// upload reads the whole body, and says what came of it.
func upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	say("upload %s: %d bytes, %v", r.URL.Query().Get("id"), n, err)
	fmt.Fprintf(w, "%d bytes", n)
}

// Sighting is what seen answers.
type Sighting struct {
	Method, Path, Host, Proto string
	RemoteAddr                string
	ContentLength             int64
	Header                    http.Header
	Body                      string
}

func seen(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(Sighting{
		r.Method, r.RequestURI, r.Host, r.Proto, r.RemoteAddr, r.ContentLength, r.Header, string(body),
	})
}

// reply answers what the query says: status, field (name:value, repeated), body,
// length (of more body), and flush (after the body).
func reply(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for _, field := range q["field"] {
		name, value, _ := strings.Cut(field, ":")
		w.Header().Add(name, value)
	}
	if status := number(q, "status"); status != 0 {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, q.Get("body"))
	_, err := w.Write(make([]byte, number(q, "length")))
	if q.Has("flush") {
		http.NewResponseController(w).Flush()
	}
	for _, field := range q["trailer"] {
		name, value, _ := strings.Cut(field, ":")
		w.Header().Add(name, value)
	}
	say("reply %s: %v", q.Get("id"), err)
}

// replyBig answers with a field of n bytes.
func replyBig(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Big", strings.Repeat("x", number(r.URL.Query(), "n")))
}

func number(q url.Values, name string) int {
	n, _ := strconv.Atoi(q.Get(name))
	return n
}

// hints sends two responses before the final one, and reads the body in between.
func hints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Del("Link")
	n, err := io.Copy(io.Discard, r.Body)
	w.Header().Set("X-Progress", fmt.Sprint(n, err))
	w.Header().Set("Connection", "X-Hop")
	w.Header().Set("X-Hop", "1")
	w.WriteHeader(199)
	w.Header().Set("X-Final", "yes")
	fmt.Fprint(w, "done")
}

// early answers with n bytes and a status before it has read any of the body,
// which it then reads to its end, or up to read bytes, or not at all.
func early(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.WriteHeader(number(q, "status"))
	_, _ = w.Write(make([]byte, number(q, "n")))
	if q.Has("flush") {
		http.NewResponseController(w).Flush()
	}
	n, err := int64(0), error(nil)
	if q.Has("read") {
		n, err = io.CopyN(io.Discard, r.Body, int64(number(q, "read")))
	}
	say("early %s: %d bytes, %v", q.Get("id"), n, err)
}

// events sends an event, flushes, and waits for a line of the body before the
// next one.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	lines := bufio.NewReader(r.Body)
	for i := 1; ; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		w.(http.Flusher).Flush()
		if _, err := lines.ReadString('\n'); err != nil {
			return
		}
	}
}

// trailers answers with the request's trailers as its own, with "Got-" before
// their names: those named in the query's announce are announced.
func trailers(w http.ResponseWriter, r *http.Request) {
	announced := r.URL.Query().Get("announce")
	if announced != "" {
		w.Header().Set("Trailer", announced)
	}
	_, _ = io.Copy(w, r.Body)
	for name, values := range r.Trailer {
		if name = "Got-" + name; name != announced {
			name = http.TrailerPrefix + name
		}
		w.Header()[name] = values
	}
}

// wait waits until nobody wants the response, and says what it knows of why.
func wait(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("flush") {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		http.NewResponseController(w).Flush()
	}
	say("waiting %s", r.URL.Query().Get("id"))
	<-r.Context().Done()
	say("wait %s: %v, %v", r.URL.Query().Get("id"), r.Context().Err(), http.NewResponseController(w).Flush())
}

// flood writes until it is told that nobody reads.
func flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", r.URL.Query().Get("type"))
	b := make([]byte, 32<<10)
	for {
		if _, err := w.Write(b); err != nil {
			say("flood %s: %v", r.URL.Query().Get("id"), err)
			return
		}
	}
}

// panicking writes n bytes, flushes if it is told to, and panics.
func panicking(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, _ = w.Write(make([]byte, number(q, "n")))
	if q.Has("flush") {
		http.NewResponseController(w).Flush()
	}
	panic("on purpose")
}

// aborting is panicking with http.ErrAbortHandler.
func aborting(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	_, _ = w.Write(make([]byte, number(q, "n")))
	if q.Has("flush") {
		http.NewResponseController(w).Flush()
	}
	panic(http.ErrAbortHandler)
}

// running and mostRunning count the calls of atOnce in progress.
var running, mostRunning atomic.Int64

// atOnce answers with the most calls of it that were ever in progress at once.
func atOnce(w http.ResponseWriter, _ *http.Request) {
	now := running.Add(1)
	defer running.Add(-1)
	for most := mostRunning.Load(); now > most && !mostRunning.CompareAndSwap(most, now); most = mostRunning.Load() {
	}
	runtime.Gosched() // to others who could run
	fmt.Fprint(w, mostRunning.Load())
}

// other answers with the worker's name if it has one, else with the request's.
func other(w http.ResponseWriter, r *http.Request) {
	if name := os.Getenv(NameVariable); name != "" {
		_, _ = io.WriteString(w, name)
		return
	}
	fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
}
