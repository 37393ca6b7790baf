package clients_test

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// page is what the browser runs.
//
//go:embed testdata/page.html
var page string

// runApp is the worker.
func runApp() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"/": index, "/echo": echo, "/digest": digest, "/refuse": refuse, "/file": file, "/bare": bare, "/sum": sum,
		"/events": events, "/pieces": pieces, "/next": next, "/wait": wait, "/left": left, "/socket": socket,
		"/report": report,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			fmt.Printf("%s %s %s\n", r.Method, r.Proto, r.URL.Path)
			handler(w, r)
		})
	}
	if err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), mux); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, page)
}

// echo sends the body back as it comes.
func echo(w http.ResponseWriter, r *http.Request) {
	flush(w)
	_, _ = io.Copy(w, r.Body)
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// digest answers with the number of bytes and their SHA-256.
func digest(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%d %s", n, hex.EncodeToString(h.Sum(nil)))
}

// refuse answers before it has read anything.
func refuse(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not that", http.StatusConflict)
}

// fileText is the file's contents.
var fileText = text(100000)

func file(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"v1"`)
	http.ServeContent(w, r, "file.txt", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), strings.NewReader(fileText))
}

// bare answers with a status that has no body.
func bare(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// sum answers with a trailer, which is that of the request if it has one.
func sum(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(w, r.Body)
	value := "none"
	if r.Trailer.Get("X-Sum") != "" {
		value = r.Trailer.Get("X-Sum")
	}
	w.Header().Set(http.TrailerPrefix+"X-Got-Sum", value)
}

// gates are what responses wait at, by id.
var gates = struct {
	sync.Mutex
	list map[string]chan struct{}
}{list: map[string]chan struct{}{}}

// gate returns the one of a request.
func gate(r *http.Request) chan struct{} {
	id := r.URL.Query().Get("id")
	gates.Lock()
	defer gates.Unlock()
	if gates.list[id] == nil {
		gates.list[id] = make(chan struct{}, 100)
	}
	return gates.list[id]
}

// next lets the response with the id go on.
func next(_ http.ResponseWriter, r *http.Request) { gate(r) <- struct{}{} }

// await waits for next, or for the client to leave.
func await(r *http.Request) (ok bool) {
	select {
	case <-gate(r):
		return true
	case <-r.Context().Done():
		return false
	}
}

// events sends an event, and another one after each call of next.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 1; i <= 5; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		flush(w)
		if !await(r) {
			return
		}
	}
}

// pieces does the same with pieces of 1000 bytes.
func pieces(w http.ResponseWriter, r *http.Request) {
	for range 5 {
		_, _ = w.Write(make([]byte, 1000))
		flush(w)
		if !await(r) {
			return
		}
	}
}

// wait waits for its client to leave, and left for that.
func wait(w http.ResponseWriter, r *http.Request) {
	flush(w)
	<-r.Context().Done()
	gate(r) <- struct{}{}
}

func left(w http.ResponseWriter, r *http.Request) {
	if await(r) {
		fmt.Fprint(w, "it left")
	}
}

// socket sends every message of a WebSocket back, until one says to close it.
func socket(w http.ResponseWriter, r *http.Request) {
	s, err := worker.AcceptWebSocket(w, r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for {
		kind, message, err := s.Read(r.Context())
		if err != nil {
			fmt.Println("socket:", err)
			return
		}
		if code, ok := strings.CutPrefix(string(message), "close "); ok {
			n, _ := strconv.Atoi(code)
			_ = s.Close(uint16(n), "as told")
			return
		}
		if err := s.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

// report prints what the page has found out.
func report(_ http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	fmt.Printf("report %s\n", text)
}
