package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// moody is a file that fails, or waits, as the test says.
type moody struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	most int           // bytes that it takes before it fails
	wait chan struct{} // nil: not
}

func (m *moody) Write(b []byte) (int, error) {
	m.mu.Lock()
	wait := m.wait
	m.mu.Unlock()
	if wait != nil {
		<-wait
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		return m.text.Write(b)
	}
	n, _ := m.text.Write(b[:min(len(b), m.most)])
	return n, m.err
}

func (m *moody) set(err error, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.most = err, most
}

func newLogWriter(file *moody) *logWriter {
	lostLine := func(n int, cause error) []byte { return fmt.Appendf(nil, "%d lost: %v\n", n, cause) }
	return &logWriter{file: file, lostLine: lostLine}
}

func (l *logWriter) line(t *testing.T, text string) {
	t.Helper()
	if n, err := l.Write([]byte(text + "\n")); n != len(text)+1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	l.Flush(20 * time.Second)
}

func TestALogSaysOnceHowManyLinesWereLost(t *testing.T) {
	file := &moody{}
	l := newLogWriter(file)
	troubles := 0
	l.onLoss = func(error) { troubles++ }
	l.line(t, "first")
	file.set(errors.New("full"), 0)
	l.line(t, "lost")
	l.line(t, "lost")
	file.set(errors.New("full"), 0)
	l.line(t, "lost\nlost")
	file.set(nil, 0)
	l.line(t, "last")
	l.line(t, "very last")
	if got, want := file.text.String(), "first\n4 lost: full\nlast\nvery last\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if troubles != 1 || l.lost.Load() != 4 {
		t.Errorf("told of it %d times; %d are lost", troubles, l.lost.Load())
	}
}

func TestALineThatWasCutOffIsNotContinued(t *testing.T) {
	file := &moody{}
	l := newLogWriter(file)
	file.set(errors.New("full"), 3)
	l.line(t, "first")
	file.set(nil, 0)
	l.line(t, "second")
	if got, want := file.text.String(), "fir\n1 lost: full\nsecond\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAReaderThatStopsHoldsUpNobody(t *testing.T) {
	file := &moody{wait: make(chan struct{})}
	l := newLogWriter(file)
	line := strings.Repeat("x", 1023) + "\n"
	const lines = 4 * maxPending / 1024
	_, _ = l.Write([]byte(line))
	eventually(t, "the reader to hold up the first line", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.pending) == 0
	})
	for range lines - 1 {
		_, _ = l.Write([]byte(line))
	}
	lost := l.lost.Load()
	if lost < lines/2 || lost >= lines {
		t.Errorf("%d of %d lines are lost", lost, lines)
	}
	close(file.wait)
	l.Flush(20 * time.Second)
	if want := fmt.Sprintf("%d lost: %v\n", lost, errBehind); !strings.HasSuffix(file.text.String(), want) {
		t.Errorf("it does not end in %q", want)
	}
	if got := strings.Count(file.text.String(), line); got != lines-int(lost) {
		t.Errorf("%d lines are there, want %d", got, lines-int(lost))
	}
}

// startWriting starts the program with outputs of the test's.
func startWriting(t *testing.T, stdout, stderr *os.File, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if stderr == nil {
		p.cmd.Stderr = &p.err
	}
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// brokenPipe returns a pipe that nobody reads.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	_ = r.Close()
	return w
}

func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// unixClient returns a client of a server that listens on a Unix socket.
func unixClient(t *testing.T, path string) *http.Client {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DialContext: dialUnix(path)}, Timeout: 20 * time.Second}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestAServerOutlivesWhoReadsItsLogs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stdout func() *os.File
		both   bool
	}{
		"access log into a pipe that nobody reads": {func() *os.File { return brokenPipe(t) }, false},
		"access log on a full disk":                {func() *os.File { return openFile(t, "/dev/full") }, false},
		"both into a pipe that nobody reads":       {func() *os.File { return brokenPipe(t) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			stdout := c.stdout()
			var stderr *os.File
			if c.both {
				stderr = stdout
			}
			p := startWriting(t, stdout, stderr, "serve", "--access-log", "--listen", "unix:"+filepath.Join(dir, "c"),
				"--socket", filepath.Join(dir, "s"))
			client := unixClient(t, filepath.Join(dir, "c"))
			for range 20 {
				eventually(t, "an answer", func() bool {
					response, err := client.Get("http://server/")
					if err != nil {
						return false
					}
					_ = response.Body.Close()
					return response.StatusCode == http.StatusServiceUnavailable
				})
			}
			p.signal(unix.SIGUSR1)
			if !c.both {
				p.found(`msg=stats .* lost_log_lines=[1-9]`)
				if got := strings.Count(p.err.String(), "lines of the access log are lost"); got != 1 {
					t.Errorf("said so %d times", got)
				}
			}
			p.signal(unix.SIGTERM)
			if status := p.wait(); status != 0 {
				t.Errorf("it ended with %v", p.cmd.ProcessState)
			}
		})
	}
}

func TestWorkersOutliveWhoReadsTheirOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	script := `default=sh -c 'while :; do echo $$ >>` + said +
		`; echo x || exit; /bin/echo y >&2 || exit; sleep 0.02; done'`
	pipe := brokenPipe(t)
	p := startWriting(t, pipe, pipe, "serve", "--listen", "unix:"+filepath.Join(dir, "c"), "--socket",
		filepath.Join(dir, "s"), "--worker", script)
	eventually(t, "20 lines", func() bool {
		text, _ := os.ReadFile(said)
		return bytes.Count(text, []byte{'\n'}) >= 20
	})
	text, _ := os.ReadFile(said)
	if first, _, _ := strings.Cut(string(text), "\n"); strings.Count(string(text), first+"\n") < 20 {
		t.Errorf("it was started again: %q", text)
	}
	p.signal(unix.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("the server ended with %v", p.cmd.ProcessState)
	}

	socket := filepath.Join(dir, "s2")
	server := startProcess(t, "serve", "--listen", "unix:"+filepath.Join(dir, "c2"), "--socket", socket)
	worker := startWriting(t, pipe, pipe, "worker", "echo", "--socket", socket, "--pool", "default")
	server.found(`msg="link attached"`)
	worker.signal(unix.SIGTERM)
	if status := worker.wait(); status != 0 {
		t.Errorf("the worker ended with %v", worker.cmd.ProcessState)
	}
}

func dialUnix(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
}
