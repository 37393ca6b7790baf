package supervise_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/wavey-ai/upload-response/worker"
)

// goLanes is how many requests a worker in Go serves at once.
const goLanes = 4

// goRole is a worker in Go that misbehaves.
func goRole() {
	if _, err := os.Stat(os.Getenv(diesVariable)); err == nil {
		panic("dies at its start")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := worker.Serve(ctx, "", goHandler(), worker.WithLanes(goLanes)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func goHandler() http.Handler {
	var mutex sync.Mutex
	var eaten [][]byte
	deeds := map[string]func(){
		"/ok": func() {},
		"/hang": func() {
			mutex.Lock()
			mutex.Lock()
		},
		"/deadlock": func() {
			only := make(chan struct{})
			only <- struct{}{} // which nobody else knows
		},
		"/sleep": func() { time.Sleep(1 << 62) },
		"/spin": func() {
			for n := uint64(1); n != 0; n++ { // for some centuries
			}
		},
		"/eat": func() {
			food := make([]byte, 96<<20)
			for i := 0; i < len(food); i += 4096 {
				food[i] = 1
			}
			eaten = append(eaten, food)
		},
		"/exit": func() { os.Exit(3) },
		"/abort": func() {
			debug.SetTraceback("crash") // by SIGABRT
			go panic("aborts")
			select {}
		},
	}
	mux := http.NewServeMux()
	for path, do := range deeds {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			do()
			fmt.Fprintln(w, "ok")
		})
	}
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	mux.HandleFunc("/slow", drip)
	mux.HandleFunc("/slow-read", sip)
	return mux
}

// drip sends a byte at a time, slowly.
func drip(w http.ResponseWriter, _ *http.Request) {
	for range 20 {
		if _, err := io.WriteString(w, "x"); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		time.Sleep(100 * time.Millisecond)
	}
}

// sip reads a little at a time, slowly, and answers with the number of bytes.
func sip(w http.ResponseWriter, r *http.Request) {
	total, buffer := 0, make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(r.Body, buffer)
		total += n
		if err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Fprint(w, total)
}
