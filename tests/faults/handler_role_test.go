package faults_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// holdVariable names the environment variable that makes a handler worker hold
// its requests.
const holdVariable = "FAULTS_HOLD"

// handlerRole is a good worker: an http.Handler behind worker.Serve.
func handlerRole() {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/half", half)
	if os.Getenv(holdVariable) != "" {
		mux.HandleFunc("/job", hold)
	} else {
		mux.HandleFunc("/job", echo)
	}
	must(worker.Serve(context.Background(), os.Getenv(harness.SocketVariable), mux,
		worker.WithLog(slog.New(slog.NewTextHandler(os.Stderr, nil)))))
}

// echo says who served the request, and returns its body.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s by %d: %s", r.Method, os.Getpid(), body)
}

// hold reads the request, says so, and never answers.
func hold(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	fmt.Println("<holding>")
	<-r.Context().Done()
	fmt.Println("<cancelled>")
}

// half sends the first half of a response, says so, and never goes on. The query
// says how long the whole would be.
func half(w http.ResponseWriter, r *http.Request) {
	if length := r.URL.Query().Get("length"); length != "" {
		w.Header().Set("Content-Length", length)
	}
	_, _ = io.WriteString(w, "first half")
	_ = http.NewResponseController(w).Flush()
	fmt.Println("<halfway>")
	<-r.Context().Done()
	_, err := io.WriteString(w, "second half")
	fmt.Printf("<write: %v>\n", err)
}
