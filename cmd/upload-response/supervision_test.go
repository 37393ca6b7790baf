package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// supervisedServer is a server with built-in echo workers that listens on a Unix socket.
type supervisedServer struct {
	*process
	client *http.Client
}

// startSupervised starts a server; a worker of %s is one that echoes.
func startSupervised(t *testing.T, args ...string) supervisedServer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	all := []string{"serve", "--listen", "unix:" + filepath.Join(dir, "c"), "--socket", filepath.Join(dir, "s")}
	for _, arg := range args {
		all = append(all, strings.ReplaceAll(arg, "%s", self+" worker echo --log-level warn"))
	}
	p := startProcess(t, all...)
	eventually(t, "the socket for clients", func() bool {
		conn, err := net.Dial("unix", filepath.Join(dir, "c"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return supervisedServer{p, unixClient(t, filepath.Join(dir, "c"))}
}

// get returns the status of a request.
func (s supervisedServer) get(t *testing.T) int {
	t.Helper()
	response, err := s.client.Get("http://server/")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

func TestAHangupReplacesWorkersAndNoRequestFails(t *testing.T) {
	t.Parallel()
	s := startSupervised(t, "--worker", "default=%s", "--workers", "2", "--reload-workers")
	old := pid(t, s.found(`msg="link attached" .* pid=(\d+)`))
	body, upload := io.Pipe()
	response := make(chan *http.Response, 1)
	go func() {
		r, err := s.client.Post("http://server/", "text/plain", body)
		if err != nil {
			t.Error(err)
		}
		response <- r
	}()
	_, _ = upload.Write([]byte("begun "))
	long := <-response
	if long == nil {
		t.FailNow()
	}
	defer long.Body.Close()

	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				if r, err := s.client.Get("http://server/"); err != nil || r.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", r, err)
					return
				} else {
					_ = r.Body.Close()
				}
			}
		}
	}()
	s.signal(unix.SIGHUP)
	s.found(`msg="workers of the app were replaced" app=default processes=2`)
	close(stop)
	<-done
	_, _ = upload.Write([]byte("ended"))
	_ = upload.Close()
	if text, err := io.ReadAll(long.Body); err != nil || string(text) != "begun ended" {
		t.Errorf("the upload that was in progress: %q, %v", text, err)
	}
	eventually(t, "the end of the old worker", func() bool { return !alive(old) })
	eventually(t, "both ends in the log", func() bool {
		return strings.Count(s.err.String(), "reason=reload") == 2
	})
}

func TestAServerThatDrainsServesOnForAWhile(t *testing.T) {
	t.Parallel()
	s := startSupervised(t, "--worker", "default=%s", "--drain-delay", "3s")
	if status := s.get(t); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	start := time.Now()
	s.signal(unix.SIGTERM)
	s.found("msg=stopping")
	s.client.CloseIdleConnections()
	if status := s.get(t); status != http.StatusOK {
		t.Errorf("status %d over a new connection", status)
	}
	if status := s.wait(); status != 0 || time.Since(start) < 3*time.Second {
		t.Errorf("status %d after %v", status, time.Since(start))
	}
}

func TestWhatWorkersPrintIsInTheLogAsJSON(t *testing.T) {
	t.Parallel()
	s := startSupervised(t, "--log-format", "json", "--log-level", "warn", "--worker-output", "auto",
		"--worker", `default=sh -c 'echo out "1"; printf "Traceback:\n  line\nError\n" >&2; exec sleep 1000'`)
	type record struct{ Msg, App, Worker, Stream string }
	var got []record
	eventually(t, "two records", func() bool {
		got = nil
		for line := range strings.Lines(s.err.String()) {
			var r record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if r.Worker != "" {
				got = append(got, r)
			}
		}
		return len(got) == 2
	})
	for _, want := range []record{{"out 1", "default", "default/0", "stdout"},
		{"Traceback:\n  line\nError", "default", "default/0", "stderr"}} {
		if !slices.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if s.out.String() != "" {
		t.Errorf("standard output: %q", s.out.String())
	}
}

func TestLinesThatBelongTogetherAreOneRecord(t *testing.T) {
	for lines, want := range map[string][]string{
		"a\n": {"a"}, "a\nb\r\n": {"a", "b"}, "\n\na\n": {"a"}, "a\n\tb\nc\n": {"a\n\tb\nc"},
		"stack:\nprogram(+0x1)[0x2]\n": {"stack:\nprogram(+0x1)[0x2]"}, "\xff\n": {"\uFFFD"},
		"": nil,
	} {
		if got := slices.Collect(records([]byte(lines))); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

func TestAWorkerThatServedEnoughRequestsIsReplacedAndNoneFails(t *testing.T) {
	t.Parallel()
	s := startSupervised(t, "--worker", "default=%s", "--recycle-requests", "20", "--recycle-jitter", "0%")
	first := pid(t, s.found(`msg="link attached" .* pid=(\d+)`))
	eventually(t, "another worker", func() bool {
		if status := s.get(t); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		return strings.Contains(s.err.String(), "reason=requests")
	})
	if alive(first) {
		t.Error("the first is still there")
	}
}

func TestMoreWorkersAreStartedWhileRequestsWait(t *testing.T) {
	t.Parallel()
	s := startSupervised(t, "--worker", "default=%s --lanes 1", "--scale-max", "3", "--scale-idle", "500ms")
	var uploads []*io.PipeWriter
	var wait sync.WaitGroup
	for range 3 { // each takes a lane
		body, upload := io.Pipe()
		uploads = append(uploads, upload)
		wait.Go(func() {
			if r, err := s.client.Post("http://server/", "text/plain", body); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			} else {
				t.Error(err)
			}
		})
	}
	s.found(`msg="app scaled" app=default from=2 to=3`)
	for _, upload := range uploads {
		_, _ = upload.Write([]byte("x"))
		_ = upload.Close()
	}
	wait.Wait()
	s.found(`msg="app scaled" app=default from=2 to=1`)
}

func TestFlagsOfWorkersAreThoseOfEveryApp(t *testing.T) {
	s := parsed(t, nil, "--worker", "default=x", "--start-timeout", "7s", "--give-up-after", "0", "--stuck-after", "9s",
		"--stuck-stacks=false", "--stop-timeout", "0", "--recycle-requests", "5", "--recycle-lifetime", "2h",
		"--recycle-memory", "1GiB", "--recycle-jitter", "25", "--scale-max", "4", "--scale-queue-wait", "1s")
	want := supervise.App{
		Name: "default", Pool: "default", Command: []string{"x"}, Processes: 1,
		Scale:   supervise.Scale{Min: 1, Max: 4, QueueWait: time.Second, Idle: 30 * time.Second},
		Start:   supervise.Start{Timeout: 7 * time.Second},
		Recycle: supervise.Recycle{Requests: 5, Jitter: 0.25, Lifetime: 2 * time.Hour, Memory: 1 << 30},
		Stuck:   supervise.Stuck{After: 9 * time.Second},
	}
	if got := fmt.Sprintf("%+v", s.apps[0]); got != fmt.Sprintf("%+v", want) {
		t.Errorf("%s\nwant %+v", got, want)
	}
	if s.config.StartedWorkers != 4 {
		t.Errorf("links are kept for %d workers", s.config.StartedWorkers)
	}
	s = parsed(t, nil, "--worker", "default=x", "--response-timeout", "3s")
	if got := s.apps[0].Stuck.After; got != 3*time.Second {
		t.Errorf("stuck after %v", got)
	}
	for _, args := range [][]string{{"--scale-min", "2"}, {"--scale-max", "2", "--scale-min", "3"},
		{"--scale-max", "2", "--workers", "3", "--worker", "default=x"}, {"--recycle-jitter", "101%"}} {
		if _, err := tryParse(nil, args...); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// A process that is stopped neither serves nor ends by SIGTERM.
func TestAPoolWhoseOnlyWorkerIsStuckServesAgain(t *testing.T) {
	t.Parallel()
	s := startSupervised(t, "--worker", "default=%s", "--stuck-after", "500ms", "--stop-timeout", "1s")
	old := pid(t, s.found(`msg="link attached" .* pid=(\d+)`))
	if err := unix.Kill(old, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all threads to stop", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", old))
		return !slices.ContainsFunc(threads, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && !strings.Contains(string(text), ") T ")
		})
	})
	start := time.Now()
	if status := s.get(t); status != http.StatusGatewayTimeout && status != http.StatusOK {
		t.Errorf("status %d of the request that hangs", status)
	}
	s.found(`msg="worker stuck" .*(worker=default/0) `)
	if status := s.get(t); status != http.StatusOK {
		t.Errorf("status %d of the next", status)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the pool served again after %v", took)
	}
	s.found(fmt.Sprintf(`pid=%d how="signal: killed" worker=default/0 (reason=stuck)`, old))
}
