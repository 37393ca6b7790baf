package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// adminSite is a server process with one built-in worker, and the environment of the commands
// that ask it.
type adminSite struct {
	*process
	url string
	env map[string]string
}

func openAdminSite(t *testing.T, args ...string) *adminSite {
	t.Helper()
	dir, err := os.MkdirTemp("", "ur")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "w.sock")
	s := &adminSite{env: map[string]string{"UPLOAD_RESPONSE_SOCKET": socket}}
	s.process = startProcess(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--socket", socket}, args...)...)
	s.url = "http://" + s.found(`msg=ready listen=(\S+)`)
	return s
}

// attach starts a built-in worker and waits until it is attached.
func (s *adminSite) attach(t *testing.T, kind string) *process {
	t.Helper()
	p := startProcess(t, "worker", kind, "--pool", "default", "--socket", s.env["UPLOAD_RESPONSE_SOCKET"])
	s.found(`msg="link attached"`)
	return p
}

// ask runs a command that has to succeed, and returns what it prints.
func (s *adminSite) ask(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, status := call(s.env, args...)
	if status != 0 || stderr != "" {
		t.Fatalf("%q: status %d, %q", args, status, stderr)
	}
	return stdout
}

// upload has an upload running, of which so many bytes have come, until the test ends.
func (s *adminSite) upload(t *testing.T, path string, n int) (answer <-chan string) {
	t.Helper()
	body, feed := io.Pipe()
	answers := make(chan string, 1)
	go func() {
		response, err := http.Post(s.url+path, "text/plain", body)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answers <- response.Status + " " + string(text)
	}()
	t.Cleanup(func() { _ = feed.Close() })
	if _, err := feed.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestTheStateOfAServerIsPrinted(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	if got := s.ask(t, "status"); !strings.Contains(got, "default  waiting  0        0 of 0") ||
		!strings.Contains(got, "no worker is attached") {
		t.Errorf("without a worker it is\n%s", got)
	}
	w := s.attach(t, "discard")
	eventually(t, "the app to be ready", func() bool {
		return strings.Contains(s.ask(t, "status"), "default  ready  1        0 of 64  0      0")
	})
	if got := s.ask(t, "workers"); !strings.Contains(got, fmt.Sprint(w.cmd.Process.Pid)) ||
		!strings.Contains(got, "running") {
		t.Errorf("the workers are\n%s", got)
	}
	var workers []admin.Worker
	if err := json.Unmarshal([]byte(s.ask(t, "workers", "--json")), &workers); err != nil || len(workers) != 1 ||
		workers[0].PID != w.cmd.Process.Pid {
		t.Errorf("%+v, %v", workers, err)
	}
	var status admin.Status
	if err := json.Unmarshal([]byte(s.ask(t, "status", "--json")), &status); err != nil ||
		status.PID != s.cmd.Process.Pid || len(status.Apps) != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	s.signal(unix.SIGTERM)
	if status := s.wait(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
	if left, _ := filepath.Glob(s.env["UPLOAD_RESPONSE_SOCKET"] + "*"); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

func TestRunningRequestsArePrintedAndCancelled(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	s.attach(t, "discard")
	answer := s.upload(t, "/file?name=a%1b[2J", 100_000)
	var list []admin.Stream
	eventually(t, "the upload to be listed", func() bool {
		if err := json.Unmarshal([]byte(s.ask(t, "streams", "default", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].Received == 100_000 && list[0].HeldBy == "client"
	})
	got := s.ask(t, "streams")
	for _, want := range []string{fmt.Sprint(list[0].ID), "running", "97.7 KiB", "client", "POST /file?name=a%1b[2J"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := s.ask(t, "streams", "--slow", "1h"); strings.Count(got, "\n") != 1 {
		t.Errorf("an hour old are\n%s", got)
	}
	if got := s.ask(t, "cancel", fmt.Sprint(list[0].ID)); !strings.Contains(got, "is over") {
		t.Errorf("cancel says %q", got)
	}
	if got := <-answer; !strings.HasPrefix(got, "503 ") {
		t.Errorf("the client got %q", got)
	}
	if _, stderr, status := call(s.env, "cancel", fmt.Sprint(list[0].ID)); status != 1 ||
		!strings.Contains(stderr, "no request has stream") {
		t.Errorf("cancelled twice: %d, %q", status, stderr)
	}
}

// following runs a command that goes on until the test ends, or it is interrupted.
func (s *adminSite) following(t *testing.T, args ...string) *process {
	t.Helper()
	command := exec.Command(os.Args[0], args...)
	command.Env = []string{"UPLOAD_RESPONSE_SOCKET=" + s.env["UPLOAD_RESPONSE_SOCKET"]}
	return startCommand(t, command)
}

func TestWhatIsSlowIsFollowed(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	s.attach(t, "discard")
	p := s.following(t, "streams", "-f", "--slow", "1ms")
	s.upload(t, "/slow", 1000)
	id := p.foundIn(&p.out, `slow  (\d+)  age .* POST /slow\n`)
	s.ask(t, "cancel", id)
	p.foundIn(&p.out, `gone  `+id)
	p.signal(unix.SIGINT)
	if status := p.wait(); status != 0 {
		t.Errorf("Ctrl-C ends it with %d: %s", status, p.err.String())
	}
}

func TestTheLogIsPrintedAndFollowed(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	if got := s.ask(t, "logs"); !strings.Contains(got, " INFO   ready admin=unix:") {
		t.Errorf("the log is\n%s", got)
	}
	p := s.following(t, "logs", "-f", "--tail", "0")
	q := s.following(t, "logs", "--follow", "--json", "--tail", "1")
	q.foundIn(&q.out, `"message":"(ready)"`)
	s.attach(t, "discard")
	q.foundIn(&q.out, `"message":"(link attached)"`)
	eventually(t, "the other to have it, too", func() bool {
		return strings.Contains(p.out.String(), " INFO   link attached ") ||
			strings.Contains(p.out.String(), "ready")
	})
	if strings.Contains(p.out.String(), "ready") {
		t.Errorf("a tail of 0 is\n%s", p.out.String())
	}
}

func TestWithoutAServerACommandSaysWhereItLooked(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{{"status"}, {"streams", "-f"}, {"restart", "web"}, {"web"}} {
		_, stderr, status := call(map[string]string{"UPLOAD_RESPONSE_SOCKET": socket}, args...)
		want := "no server answers at unix:" + socket + ".admin: connect: no such file or directory (is it running?"
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: %d, %q", args, status, stderr)
		}
	}
}

func TestAMistakeInACommandForAServerIsAMistakeInUse(t *testing.T) {
	for args, want := range map[string]string{
		"restart": "no APP|WORKER", "scale web": `"web": want APP=N, such as web=4`, "scale =3": "want APP=N",
		"scale": "no APP=N", "stacks web": "want the name of a worker, such as web/0", "cancel x": "want a number",
		"status extra": `unexpected argument "extra"`, "streams a b": `unexpected argument "b"`,
		"status --admin 80": "want unix:PATH, HOST:PORT or off", "status --admin off": "give --admin ADDRESS",
		"status --admin-token short": "at least 16 characters",
	} {
		if _, stderr, status := call(nil, strings.Fields(args)...); status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%q: %d, %q", args, status, stderr)
		}
	}
}

func TestOverTCPATokenOpensTheServer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a-token-of-the-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAdminSite(t, "--admin", "127.0.0.1:0", "--admin-token", "file:"+file)
	s.env["UPLOAD_RESPONSE_ADMIN"] = s.found(`admin=(127.0.0.1:\d+)`)
	if _, stderr, status := call(s.env, "status"); status != 1 || !strings.Contains(stderr, "send the token") {
		t.Errorf("without the token: %d, %q", status, stderr)
	}
	s.env["UPLOAD_RESPONSE_ADMIN_TOKEN"] = "a-token-of-the-test"
	if got := s.ask(t, "status"); !strings.Contains(got, "default") {
		t.Errorf("with it: %q", got)
	}
}

func TestAnAdminListenerThatIsOffIsNotThere(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t, "--admin", "off")
	if _, err := os.Stat(s.env["UPLOAD_RESPONSE_SOCKET"] + ".admin"); err == nil {
		t.Error("there is a socket")
	}
}

func TestAnAddressThatIsTakenEndsTheStart(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", s.env["UPLOAD_RESPONSE_SOCKET"]+"2",
		"--admin", "unix:"+s.env["UPLOAD_RESPONSE_SOCKET"]+".admin")
	if status := p.wait(); status != 1 ||
		!strings.Contains(p.err.String(), "choose another address with --admin, or off") {
		t.Errorf("%d, %s", status, p.err.String())
	}
}

func TestWebBridgesTheSocketForOneToken(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	p := s.following(t, "web")
	url := p.foundIn(&p.out, `(http://127.0.0.1:\d+/#token=\w+)\n`)
	base, token, _ := strings.Cut(url, "/#token=")
	get := func(method, path, token string) (int, string) {
		request, err := http.NewRequestWithContext(context.Background(), method, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	for _, c := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/", "", 200}, {"GET", "/assets/page.js", "", 200}, {"GET", "/status", token, 200},
		{"DELETE", "/streams/1", token, 404}, {"GET", "/status", "", 401}, {"GET", "/status", token + "x", 401},
		{"DELETE", "/streams/1", "", 401}, {"GET", "/metrics", "", 401}, {"POST", "/", "", 401},
	} {
		if status, body := get(c.method, c.path, c.token); status != c.want {
			t.Errorf("%s %s with %q: %d %s", c.method, c.path, c.token, status, body)
		}
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	if status, body := get("GET", "/status", token); status != 502 ||
		!strings.Contains(body, "no server answers at unix:") {
		t.Errorf("without the server: %d %s", status, body)
	}
	p.signal(unix.SIGINT)
	if status := p.wait(); status != 0 {
		t.Errorf("Ctrl-C ends it with %d: %s", status, p.err.String())
	}
}

func TestEventsInALineAreOneLine(t *testing.T) {
	var b bytes.Buffer
	event := &admin.Event{Time: time.Now(), Type: "log", Level: "warn", Message: "it\x1b[2J said",
		Worker: "web/0", PID: 7, Attributes: map[string]any{"a": "x y", "b": 3, "c": "\x1b"}}
	if err := printEvent(&b, event); err != nil {
		t.Fatal(err)
	}
	want := "WARN   it\uFFFD[2J said worker=web/0 pid=7 a=\"x y\" b=3 c=\"\\x1b\"\n"
	if got := b.String(); !strings.HasSuffix(got, want) {
		t.Errorf("%q", got)
	}
}

// openSupervised is openAdminSite with so many built-in workers that the server starts.
func openSupervised(t *testing.T, workers string) *adminSite { return openSupervisedAt(t, workers) }

// openSupervisedAt is openSupervised with more flags.
func openSupervisedAt(t *testing.T, workers string, args ...string) *adminSite {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := openAdminSite(t, append(args, "--worker", "default="+program+" worker discard --pool default",
		"--workers", workers)...)
	if len(args) > 0 {
		s.env["UPLOAD_RESPONSE_ADMIN"] = s.found(`admin=(127.0.0.1:\d+)`)
		s.env["UPLOAD_RESPONSE_ADMIN_TOKEN"] = args[len(args)-1]
	}
	s.awaitWorkers(t, func(list []admin.Worker) bool { return fmt.Sprint(len(list)) == workers })
	return s
}

// awaitWorkers waits until all workers run, and ok returns true. It returns them.
func (s *adminSite) awaitWorkers(t *testing.T, ok func([]admin.Worker) bool) (list []admin.Worker) {
	t.Helper()
	eventually(t, "the workers to run", func() bool {
		list = nil
		if err := json.Unmarshal([]byte(s.ask(t, "workers", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		for _, w := range list {
			if w.State != admin.WorkerRunning || w.Links != 1 {
				return false
			}
		}
		return ok(list)
	})
	return list
}

func TestWorkersAreRestartedAndScaled(t *testing.T) {
	t.Parallel()
	s := openSupervised(t, "2")
	before := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 })
	if before[0].Name != "default/0" || before[1].Name != "default/1" || !before[0].Started || before[0].Memory == 0 {
		t.Errorf("the workers are %+v", before)
	}
	if got := s.ask(t, "restart", "default/1"); got != "default/1 was replaced\n" {
		t.Errorf("restart says %q", got)
	}
	after := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 && list[1].PID != before[1].PID })
	if after[0].PID != before[0].PID || after[1].Name != "default/1" {
		t.Errorf("the workers were %+v, and are %+v", before, after)
	}
	s.ask(t, "restart", "default")
	s.awaitWorkers(t, func(list []admin.Worker) bool {
		return len(list) == 2 && list[0].PID != after[0].PID && list[1].PID != after[1].PID
	})
	if got := s.ask(t, "scale", "default=3"); got != "default is to have 3 workers\n" {
		t.Errorf("scale says %q", got)
	}
	s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 3 && list[2].Name == "default/2" })
	if got := s.ask(t, "status"); !strings.Contains(got, "default  ready  3 of 3   0 of ") {
		t.Errorf("the status is\n%s", got)
	}
	if got := s.ask(t, "logs", "--level", "error"); !strings.Contains(got, "WORKER ready") {
		t.Errorf("what happened to workers is not in\n%s", got)
	}
	for args, want := range map[string]string{
		"restart other": `there is no app "other"`, "restart default/9": "no such app or worker",
		"scale default=0": "at least 1", "scale default=1000": "there is memory for",
		"stacks default/9": "no such app or worker",
	} {
		if _, stderr, status := call(s.env, strings.Fields(args)...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d, %q", args, status, stderr)
		}
	}
}

func TestTheLogSaysOnceThatAWorkerHasEnded(t *testing.T) {
	t.Parallel()
	s := openSupervised(t, "2")
	list := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 })
	check(t, unix.Kill(list[0].PID, unix.SIGKILL))
	s.ask(t, "restart", "default/1")
	ends := func(level string, pid int) (lines int) {
		for line := range strings.Lines(s.ask(t, "logs", "--tail", "500", "--level", level)) {
			if strings.Contains(line, "ended") && slices.Contains(strings.Fields(line), fmt.Sprintf("pid=%d", pid)) {
				lines++
			}
		}
		return lines
	}
	for _, w := range list {
		eventually(t, "the end of "+w.Name, func() bool { return ends("info", w.PID) > 0 })
		for _, level := range []string{"info", "warn", "error"} {
			if n := ends(level, w.PID); n != 1 {
				t.Errorf("from level %s up, the log says the end of %s %d times", level, w.Name, n)
			}
		}
	}
}

// A worker of the server's own user can open the socket: it must not be able to use it.
func TestAWorkerOfTheServerIsNoOperator(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := openAdminSite(t, "--worker", "default=/bin/sh -c '"+program+" status; exec sleep 1000'")
	s.found("(this process is a worker of the server, and none of its operators)")
}

func TestTheStacksOfAWorkerArePrinted(t *testing.T) {
	t.Parallel()
	s := openSupervised(t, "2")
	for _, args := range [][]string{{"stacks", "default/1"}, {"stacks", "default/1", "--json"}} {
		if got := s.ask(t, args...); !strings.Contains(got, "goroutine ") || !strings.Contains(got, ".go:") {
			t.Errorf("%q prints %q", args, got)
		}
	}
	list := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 })
	if got := s.ask(t, "workers"); !strings.Contains(got, fmt.Sprint(list[1].PID)) {
		t.Errorf("the worker does not go on:\n%s", got)
	}
}

func TestWhatBecameOfAReloadIsAnEvent(t *testing.T) {
	t.Parallel()
	const begin = "listen: http://127.0.0.1:0\nsocket: s\nroutes:\n- respond: {body: "
	name := inFile(t, begin+"one}\n")
	p := startProcess(t, "serve", "-c", name)
	p.found("(msg=ready)")
	s := &adminSite{process: p, env: map[string]string{
		"UPLOAD_RESPONSE_SOCKET": filepath.Join(filepath.Dir(name), "s")}}
	for _, step := range [][2]string{
		{"two}\n", "RELOAD configuration read again, changed: 1"},
		{"[\n", "RELOAD the configuration stays as it was: "},
	} {
		rewrite(t, p, name, begin+step[0])
		eventually(t, step[1], func() bool { return strings.Contains(s.ask(t, "logs", "--level", "error"), step[1]) })
	}
}
