package upgrade_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// An upload, a WebSocket and requests over HTTP/3 that are in progress end on the process on
// which they began, also when that one is replaced for the second time.
func TestNoRequestIsLostInTwoUpgradesUnderLoad(t *testing.T) {
	s := start(t, append(everywhere(), workers(t)...)...)
	l := startLoad(s)
	l.awaitMore()
	socket, err := openSocket(strings.TrimPrefix(s.clear, "http://"))
	harness.Check(t, err)
	defer socket.Close()
	harness.Check(t, say(socket, "before"))
	uploads := []*upload{
		begin(t, harness.NewClient(t, 1, nil), s.clear), begin(t, harness.NewClient(t, 2, trusting()), s.secure),
		begin(t, harness.NewClient(t, 3, trusting()), s.secure),
	}
	second := s.upgrade()
	l.awaitMore()
	third := s.upgrade()
	l.awaitMore()
	if first := s.first.Process.Pid; first == second || second == third || first == third {
		t.Errorf("the processes are %d, %d and %d", first, second, third)
	}
	harness.Check(t, say(socket, "after"))
	for _, u := range uploads {
		u.end(t)
	}
	l.awaitMore()
	l.end()
	harness.Check(t, socket.Close())
	s.awaitEnd()
	if strings.Contains(s.log(), "requests cut off") {
		t.Error("requests were cut off")
	}
	s.stop()
}

// upload is one that is in progress.
type upload struct {
	body     *io.PipeWriter
	response *http.Response
}

// begin begins one.
func begin(t testing.TB, client *http.Client, url string) *upload {
	t.Helper()
	reader, writer := io.Pipe()
	request, err := http.NewRequest(http.MethodPut, url, reader)
	harness.Check(t, err)
	go func() { _, _ = io.WriteString(writer, "begun ") }()
	response, err := client.Do(request)
	harness.Check(t, err)
	first := make([]byte, len("begun "))
	_, err = io.ReadFull(response.Body, first)
	harness.Check(t, err)
	return &upload{writer, response}
}

// end ends the upload, and checks what came back.
func (u *upload) end(t testing.TB) {
	t.Helper()
	timer := time.AfterFunc(harness.Patience, func() { _ = u.body.CloseWithError(os.ErrDeadlineExceeded) })
	defer timer.Stop()
	_, err := io.WriteString(u.body, "and ended")
	harness.Check(t, errors.Join(err, u.body.Close()))
	if rest := harness.ReadAll(t, u.response.Body); string(rest) != "and ended" {
		t.Errorf("over %s the rest was %q", u.response.Proto, rest)
	}
}

// A new version that does not work is found out before the old one has left.
func TestAProgramThatDoesNotComeUpLeavesTheOldOneServing(t *testing.T) {
	s := start(t, append(everywhere(), workers(t)...)...)
	client := harness.NewClient(t, 1, nil)
	three := harness.NewClient(t, 3, trusting())
	awaitAnswer(t, client, s.clear)
	for script, want := range map[string]string{
		"#!/bin/sh\nexit 3\n": "the new process has ended: exit status 3",
		"#!/bin/sh\necho failed no luck >&3; exec sleep 1000\n": "no luck",
		"#!/bin/sh\necho hello >&3; sleep 1000\n":               `the new process says "hello": it is another program`,
		"#!/bin/sh\necho ready >&3; read go <&4; exit 4\n":      "the new process has ended: exit status 4",
	} {
		harness.Check(t, os.Remove(s.program))
		harness.Check(t, os.WriteFile(s.program, []byte(script), 0o700))
		output, err := s.run("upgrade")
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 ||
			!strings.Contains(output, want) {
			t.Errorf("%q: %v, %s", script, err, output)
		}
		s.found(`msg="upgrade failed: this process goes on" error=` + regexp.QuoteMeta(strconv.Quote(want)))
		if pid := s.server(); pid != s.first.Process.Pid {
			t.Errorf("%q: the server is process %d, want %d", script, pid, s.first.Process.Pid)
		}
		for _, status := range []int{get(client, s.clear), get(three, s.secure)} {
			if status != http.StatusOK {
				t.Errorf("%q: status %d", script, status)
			}
		}
	}
	harness.Check(t, os.Remove(s.program))
	harness.Check(t, os.Symlink(program(t), s.program))
	s.upgrade()
	if status := get(client, s.clear); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.stop()
}

// Workers that end at once are a reason to stay with those that work.
func TestWorkersThatDoNotComeUpKeepTheOldServer(t *testing.T) {
	flag := t.TempDir() + "/broken"
	s := start(t, "--listen", "127.0.0.1:0", "--worker",
		"default=/bin/sh -c 'test -e "+flag+" && exit 5; exec "+program(t)+" worker echo --pool default'")
	client := harness.NewClient(t, 1, nil)
	awaitAnswer(t, client, s.clear)
	harness.Check(t, os.WriteFile(flag, nil, 0o600))
	output, err := s.run("upgrade")
	if err == nil || !strings.Contains(output, "a worker of app default ended before it attached (exit)") {
		t.Errorf("%v, %s", err, output)
	}
	if status, pid := get(client, s.clear), s.server(); status != http.StatusOK || pid != s.first.Process.Pid {
		t.Errorf("status %d, process %d", status, pid)
	}
	harness.Check(t, os.Remove(flag))
	harness.Check(t, s.first.Process.Signal(syscall.SIGUSR2)) // without a command
	s.found(`msg=upgraded pid=(\d+)`)
	s.awaitEnd()
	if status := get(client, s.clear); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.stop()
}

// A worker that nobody here has started goes to the new process, when it has nothing to do.
func TestAttachedWorkersGoToTheNewProcess(t *testing.T) {
	s := start(t, "--listen", "127.0.0.1:0", "--listen", "unix:"+t.TempDir()+"/c")
	worker := harness.StartProgram(t, io.Discard, []string{program(t), "worker", "echo", "--pool", "default",
		"--socket", s.socket})
	client := harness.NewClient(t, 1, nil)
	awaitAnswer(t, client, s.clear)
	for range 2 {
		pid := s.upgrade()
		for range 2 { // over the connection that the old process has, and over one to the new
			if status := get(client, s.clear); status != http.StatusOK {
				t.Fatalf("status %d, process %d has taken over", status, pid)
			}
		}
	}
	select {
	case <-worker.Ended():
		t.Errorf("the worker has ended with %s", worker.How())
	default:
	}
	s.stop()
}
