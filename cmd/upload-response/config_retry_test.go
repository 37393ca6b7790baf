package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/worker"
)

// asFragileWorker is a value of asProgram with which the test binary is a worker of a pool.
const asFragileWorker = "fragile worker"

// runFragileWorker serves requests that end the process, at /exit, and requests of which the first
// hangs and leaves the number of the process in a file, at /hang.
func runFragileWorker() {
	err := worker.Serve(context.Background(), os.Getenv("UPLOAD_RESPONSE_SOCKET"),
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/exit") {
				os.Exit(3)
			}
			first, err := os.OpenFile(os.Getenv("FIRST"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return // another process has it
			}
			_, _ = fmt.Fprintln(first, os.Getpid())
			select {}
		}), worker.WithPool(os.Getenv("UPLOAD_RESPONSE_POOL")))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestARouteSaysWhetherARequestIsServedAgainAndAReloadChangesIt(t *testing.T) {
	t.Parallel()
	first := filepath.Join(t.TempDir(), "first")
	file := func(routes string) string {
		return "listen: http://127.0.0.1:0\nsocket: s\napps:\n  web:\n    command: [" + os.Args[0] +
			"]\n    processes: 2\n    environment: {" + asProgram + ": " + asFragileWorker + ", FIRST: " + first +
			"}\nroutes:\n" + routes
	}
	name := inFile(t, file("- match: {path: /never/*}\n  retry: 0\n  app: web\n- app: web\n"))
	p := startProcess(t, "serve", "-c", name)
	url := "http://" + p.found(`listen=(127.0.0.1:\d+)`)
	attached := func() int { return strings.Count(p.err.String(), `msg="link attached"`) }
	eventually(t, "two workers", func() bool { return attached() == 2 })

	// killed has a request hang, kills its worker, and returns the status.
	killed := func(path string) int {
		t.Helper()
		before := attached()
		check(t, errors.Join(os.RemoveAll(first)))
		status := make(chan int, 1)
		go func() { status <- statusOf(url + path) }()
		var text []byte
		eventually(t, "a worker that hangs", func() bool {
			text, _ = os.ReadFile(first)
			return strings.HasSuffix(string(text), "\n")
		})
		check(t, unix.Kill(pid(t, strings.TrimSpace(string(text))), unix.SIGKILL))
		got := <-status
		eventually(t, "another worker", func() bool { return attached() == before+1 })
		return got
	}
	if got := killed("/x/hang"); got != http.StatusOK {
		t.Errorf("a request that may be served again: %d", got)
	}
	if got := killed("/never/hang"); got != http.StatusBadGateway {
		t.Errorf("a request that may not: %d", got)
	}
	for _, path := range []string{"/x/exit", "/never/exit"} {
		before := attached()
		if got := statusOf(url + path); got != http.StatusBadGateway {
			t.Errorf("%s: %d", path, got)
		}
		eventually(t, "another worker", func() bool { return attached() == before+1 })
	}
	if n := strings.Count(p.err.String(), `how="exit status 3"`); strings.Count(p.err.String(),
		"request not served again: its worker ended") != 2 {
		t.Errorf("%d ends in the log:\n%s", n, p.err.String())
	}

	rewrite(t, p, name, file("- match: {path: /never/*}\n  retry: {on: died}\n  app: web\n- retry: {on: refused}\n"+
		"  app: web\n"))
	p.found(`msg="configuration read again" .* keys="routes\[0\].retry.on routes\[0\].retry.times routes\[1\]`)
	if got := killed("/never/hang"); got != http.StatusOK {
		t.Errorf("after a reload, a request that may be served again now: %d", got)
	}
	if got := killed("/x/hang"); got != http.StatusBadGateway {
		t.Errorf("after a reload, a request that may not be any more: %d", got)
	}
}

// statusOf returns the status of a request; 0: it had no answer.
func statusOf(url string) int {
	response, err := http.Get(url)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}
