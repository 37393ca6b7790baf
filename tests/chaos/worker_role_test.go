package chaos_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// poolVariable names the environment variable with the pool that a worker serves.
const poolVariable = "UPLOAD_RESPONSE_POOL"

// workerRole is the Go worker. What it serves is written in sdk/c/tests/chaos.c.
func workerRole() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	for _, prefix := range []string{"", aloneRoute} {
		mux.HandleFunc(prefix+"/echo", echo)
		mux.HandleFunc(prefix+"/digest", digest)
		mux.HandleFunc(prefix+"/pattern", sendPattern)
		mux.HandleFunc(prefix+"/early", sendPattern)
	}
	err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), mux, worker.WithPool(os.Getenv(poolVariable)))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// number returns a number of the query; 0 if it is not there.
func number(r *http.Request, name string) uint64 {
	n, _ := strconv.ParseUint(r.URL.Query().Get(name), 10, 64)
	return n
}

// declare sets the length of the response, if the client asks for that and it is
// known.
func declare(w http.ResponseWriter, r *http.Request, length int64) {
	if number(r, "declare") != 0 && length >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	declare(w, r, r.ContentLength)
	_ = http.NewResponseController(w).Flush()
	if _, err := io.Copy(w, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func digest(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	text := digestText(sum.Sum(nil), n)
	declare(w, r, int64(len(text)))
	_, _ = io.WriteString(w, text)
}

func digestText(sum []byte, n int64) string { return fmt.Sprintf("%x %d\n", sum, n) }

// sendPattern does not look at the request's body.
func sendPattern(w http.ResponseWriter, r *http.Request) {
	p, size := pattern(number(r, "seed")), number(r, "size")
	declare(w, r, int64(size))
	piece := make([]byte, 20000)
	for at := uint64(0); at < size; {
		b := piece[:min(uint64(len(piece)), size-at)]
		p.fill(b, at)
		if _, err := w.Write(b); err != nil {
			panic(http.ErrAbortHandler)
		}
		at += uint64(len(b))
	}
}
