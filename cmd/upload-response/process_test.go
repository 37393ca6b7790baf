package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running program of ours.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err output
	ended    chan struct{}
}

// output is what a process has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startProcess starts the program. It is killed at the end of the test, if it is
// still there.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, exec.Command(os.Args[0], args...))
}

// startCommand is startProcess for a command that says more than its arguments.
func startCommand(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: command, ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), command.Env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.WaitDelay = 10 * time.Second // workers hold the pipes of the server, too
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
		if t.Failed() {
			t.Logf("%q printed\n%s\n%s", command.Args, p.out.String(), p.err.String())
		}
	})
	return p
}

// found waits for a match in what the process logs and returns its first group.
func (p *process) found(pattern string) string {
	p.t.Helper()
	return p.foundIn(&p.err, pattern)
}

func (p *process) foundIn(o *output, pattern string) (group string) {
	p.t.Helper()
	expression := regexp.MustCompile(pattern)
	eventually(p.t, "output like "+pattern, func() bool {
		match := expression.FindStringSubmatch(o.String())
		if match != nil {
			group = match[len(match)-1]
		}
		return match != nil
	})
	return group
}

func (p *process) signal(s unix.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end of the process and returns its exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func pid(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// put uploads a body and returns the response's.
func put(t *testing.T, url string, body []byte) []byte {
	t.Helper()
	request, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v, %q", url, response.Status, err, got)
	}
	return got
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = rng.Read(b)
	return b
}

func startDemo(t *testing.T) (p *process, url string) {
	t.Helper()
	p = startProcess(t, "demo", "--listen", "127.0.0.1:0", "--socket", filepath.Join(t.TempDir(), "s"))
	return p, p.foundIn(&p.out, `curl -T big.file (http://127.0.0.1:\d+)/digest`)
}

func TestDemoServesItsThreeWorkers(t *testing.T) {
	t.Parallel()
	p, url := startDemo(t)
	for _, n := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 3 << 20} {
		body := randomBytes(n)
		if got := put(t, url+"/echo", body); !bytes.Equal(got, body) {
			t.Errorf("echo of %d bytes: %d others came back", n, len(got))
		}
		sum := sha256.Sum256(body)
		if got, want := string(put(t, url+"/digest", body)), fmt.Sprintf("{\"sha256\":%q,\"bytes\":%d}\n",
			hex.EncodeToString(sum[:]), n); got != want {
			t.Errorf("digest: %q, want %q", got, want)
		}
		if got, want := string(put(t, url+"/discard", body)), fmt.Sprintf("{\"bytes\":%d}\n", n); got != want {
			t.Errorf("discard: %q, want %q", got, want)
		}
	}
	p.foundIn(&p.out, `msg=exchange method=PUT path=/digest status=200 received=3145728`)
	p.signal(unix.SIGINT)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestDemoServesTheWorkersThatAreAdded(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--socket", filepath.Join(t.TempDir(), "s"), "--add",
		"/more/digest="+self+" worker digest")
	url := p.foundIn(&p.out, `  (http://127.0.0.1:\d+)/more/digest`)
	if got, want := string(put(t, url+"/more/digest", []byte("added"))), string(put(t, url+"/digest",
		[]byte("added"))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// beginEcho starts an upload to /echo and returns it when its first bytes have
// come back.
func beginEcho(t *testing.T, url, first string) (*io.PipeWriter, *http.Response) {
	t.Helper()
	body, upload := io.Pipe()
	go func() { _, _ = upload.Write([]byte(first)) }()
	response, err := http.Post(url+"/echo", "text/x-test", body)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = upload.Close()
		_ = response.Body.Close()
	})
	expectNext(t, response, first)
	return upload, response
}

// expectNext reads as many bytes as want has, and no further.
func expectNext(t *testing.T, response *http.Response, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

func TestEchoSendsWhileTheUploadRuns(t *testing.T) {
	t.Parallel()
	_, url := startDemo(t)
	upload, response := beginEcho(t, url, "first ")
	_, _ = upload.Write([]byte("second"))
	expectNext(t, response, "second")
	if got := response.Header.Get("Content-Type"); got != "text/x-test" {
		t.Errorf("content type %q", got)
	}
}

func TestWorkerThatIsKilledComesBack(t *testing.T) {
	t.Parallel()
	p, url := startDemo(t)
	old := p.found(`msg="link attached" link=echo-\d+ pool=echo pid=(\d+)`)
	if err := unix.Kill(pid(t, old), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.found(`msg="worker process ended" pool=echo pid=` + old + ` how="signal: killed" restart_in=100ms`)
	if got := put(t, url+"/echo", []byte("back")); string(got) != "back" { // it waits for the next worker
		t.Errorf("%q", got)
	}
}

func TestUSR1LogsTheCountersInOneLine(t *testing.T) {
	t.Parallel()
	p, url := startDemo(t)
	put(t, url+"/discard", []byte("x"))
	p.signal(unix.SIGUSR1)
	p.found(`level=INFO msg=stats links=4 .*exchanges=1 .* allocations=\d+`)
}

func TestTermFinishesWhatIsRunningAndLeavesNothing(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--socket", socket)
	url := p.foundIn(&p.out, `curl -T big.file (http://127.0.0.1:\d+)/digest`)
	worker := pid(t, p.found(`link=echo-\d+ pool=echo pid=(\d+)`))
	upload, response := beginEcho(t, url, "begun ")
	p.signal(unix.SIGTERM)
	p.found("msg=stopping signal=terminated")
	_, _ = upload.Write([]byte("ended"))
	_ = upload.Close()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "ended" {
		t.Errorf("%q, %v", got, err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) || alive(worker) {
		t.Errorf("the socket: %v; the worker is alive: %v", err, alive(worker))
	}
}

func TestTwoSignalsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	p, url := startDemo(t)
	upload, response := beginEcho(t, url, "begun ")
	p.signal(unix.SIGTERM)
	p.signal(unix.SIGINT) // two SIGTERM could become one in the kernel
	p.found("msg=stopping")
	_, _ = upload.Write([]byte("ended"))
	_ = upload.Close()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "ended" {
		t.Errorf("%q, %v", got, err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p, url := startDemo(t)
	beginEcho(t, url, "never ends")
	p.signal(unix.SIGINT)
	p.found("msg=stopping")
	time.Sleep(oneSignal) // what comes earlier is the first signal still
	p.signal(unix.SIGINT)
	if status := p.wait(); status != 1 || !strings.Contains(p.err.String(),
		"upload-response: stopped at once by a second signal (interrupt)\n") {
		t.Errorf("status %d", status)
	}
}

func TestWorkersDieWithTheServer(t *testing.T) {
	t.Parallel()
	p, _ := startDemo(t)
	worker := pid(t, p.found(`link=digest-\d+ pool=digest pid=(\d+)`))
	p.signal(unix.SIGKILL)
	eventually(t, "end of the worker", func() bool { return !alive(worker) })
}

func TestCommandOfWorkerIsAShellLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "say it")
	const said = "#!/bin/sh\n" +
		"echo \"$# $1 $UPLOAD_RESPONSE_SOCKET $UPLOAD_RESPONSE_SERVER_UID $UPLOAD_RESPONSE_POOL\"\n" +
		"exec sleep 1000\n"
	if err := os.WriteFile(script, []byte(said), 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket, "--route", "/=x", "--worker",
		fmt.Sprintf("x='%s' 'one word' two", script))
	if got := p.foundIn(&p.out, `(?m)^(.* x)$`); got != fmt.Sprintf("2 one word %s %d x", socket, os.Geteuid()) {
		t.Errorf("%q", got)
	}
}

func TestBusyPortIsOneLineThatNamesTheFlag(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address, socket := listener.Addr().String(), filepath.Join(t.TempDir(), "s")
	for _, command := range []string{"serve", "demo"} {
		_, stderr, status := call(nil, command, "--listen", address, "--socket", socket)
		want := "upload-response: cannot listen on " + address +
			": address already in use (choose another address with --listen)\n"
		if status != 1 || stderr != want {
			t.Errorf("%s: status %d, %q", command, status, stderr)
		}
	}
}

func TestBusySocketNamesItsOwner(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	first := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket)
	first.found("msg=ready")
	_, stderr, status := call(nil, "serve", "--listen", "127.0.0.1:0", "--socket", socket)
	const format = "upload-response: worker socket %s: socket in use by process %d " +
		"(choose another path with --socket)\n"
	want := fmt.Sprintf(format, socket, first.cmd.Process.Pid)
	if status != 1 || stderr != want {
		t.Errorf("status %d, %q, want %q", status, stderr, want)
	}
	first.signal(unix.SIGKILL)
	first.wait()
	second := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket)
	second.found("msg=ready") // the file of the dead one is replaced
}

func TestTooLittleMemoryIsOneLineAndLeavesNoSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	_, stderr, status := call(nil, "serve", "--listen", "127.0.0.1:0", "--socket", socket, "--memory", "100TiB")
	if status != 1 || !strings.HasPrefix(stderr, "upload-response: --memory 100TiB: not enough memory: ") ||
		strings.Count(stderr, "\n") != 1 {
		t.Errorf("status %d, %q", status, stderr)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket: %v", err)
	}
}

func TestWorkerOfAnUnknownPoolSaysSo(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	server := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket)
	server.found("msg=ready")
	worker := startProcess(t, "worker", "echo", "--socket", socket, "--pool", "nobody")
	if status := worker.wait(); status != 1 ||
		!strings.Contains(worker.err.String(), `no route leads to pool "nobody"`) {
		t.Errorf("status %d", status)
	}
}

func TestWorkerEndsOnTerm(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	server := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket)
	server.found("msg=ready")
	worker := startProcess(t, "worker", "echo", "--socket", socket, "--pool", "default",
		"--name", "tom", "--lanes", "3")
	server.found(`msg="link attached" link=tom pool=default pid=\d+ worker=tom lanes=3`)
	worker.found("msg=attached") // before it knows, it closes the connection without a word
	worker.signal(unix.SIGTERM)
	if status := worker.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
	server.found(`msg="link left" link=tom`)
}

func TestAPoolWithWorkersTakesThoseOnlyThatTheServerStarted(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket, "--route", "/=default", "--route",
		"/open=open", "--route", "/free=free",
		"--worker", "default=sh -c '"+self+" worker echo & wait'", "--worker", "open="+self+" worker echo",
		"--open-pool", "open")
	p.found(`msg="link attached" .* (pool=default)`) // a child of the worker that was started
	byHand := func(pool string) *process {
		return startProcess(t, "worker", "echo", "--pool", pool, "--socket", socket, "--name", "by-hand")
	}
	refused := byHand("default")
	if status := refused.wait(); status != 1 ||
		!strings.Contains(refused.err.String(), `pool "default" takes workers only that the server has started`) {
		t.Errorf("status %d", status)
	}
	for _, pool := range []string{"open", "free"} {
		byHand(pool)
		p.found(`msg="link attached" link=by-hand (pool=` + pool + `)`)
	}
	p.signal(unix.SIGTERM) // killed, it would leave the child behind
	if status := p.wait(); status != 0 {
		t.Errorf("the server ended with status %d", status)
	}
}

func TestWorkersGetNeitherDescriptorsNorVariablesOfTheServersOwn(t *testing.T) {
	t.Parallel()
	seen := filepath.Join(t.TempDir(), "seen")
	passed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	command := exec.Command(os.Args[0], "serve", "--listen", "127.0.0.1:0", "--socket", filepath.Join(t.TempDir(), "s"),
		"--worker", "default=sh -c 'ls /proc/$$/fd >"+seen+"; env >>"+seen+"; echo whole >>"+seen+"; exec sleep 1000'")
	command.ExtraFiles = []*os.File{passed, passed, passed}
	command.Env = []string{"NOTIFY_SOCKET=/nowhere", "UPLOAD_RESPONSE_QUEUE_LENGTH=7", "MINE=mine"}
	startCommand(t, command)
	var text string
	eventually(t, "the worker to look", func() bool {
		b, _ := os.ReadFile(seen)
		text = "\n" + string(b)
		return strings.HasSuffix(text, "\nwhole\n")
	})
	for _, not := range []string{"\n3\n", "\n4\n", "\n5\n", "NOTIFY_SOCKET", "QUEUE_LENGTH"} {
		if strings.Contains(text, not) {
			t.Errorf("the worker sees %q", not)
		}
	}
	for _, want := range []string{"\n2\n", "\nMINE=mine\n", "\nUPLOAD_RESPONSE_POOL=default\n",
		"\nUPLOAD_RESPONSE_SOCKET="} {
		if !strings.Contains(text, want) {
			t.Errorf("the worker does not see %q in %s", want, text)
		}
	}
}

func TestOnlySignalsThatAskForTheEndEndAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	p := startProcess(t, "serve", "--listen", "unix:"+filepath.Join(dir, "c"), "--socket", socket)
	p.found("msg=ready")
	worker := startProcess(t, "worker", "echo", "--socket", socket, "--pool", "default")
	worker.found("msg=attached") // before it knows, it closes the connection without a word
	for _, p := range []*process{p, worker} {
		p.signal(unix.SIGHUP)
		p.found(`msg="signal ignored" signal=hangup`)
	}
	worker.signal(unix.SIGUSR2) // in the server, it starts another process
	worker.found(`msg="signal ignored" signal="user defined signal 2"`)
	worker.signal(unix.SIGQUIT)
	if status := worker.wait(); status != 0 {
		t.Errorf("the worker ended with status %d", status)
	}
	p.found(`msg="link left"`)
	p.signal(unix.SIGQUIT)
	p.found("msg=stopping signal=quit")
	if status := p.wait(); status != 0 || strings.Contains(p.err.String(), "goroutine") {
		t.Errorf("the server ended with status %d", status)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket: %v", err)
	}
}

func TestAWorkerThatCannotBeRunIsAnErrorBeforeTheServerListens(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain text")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ command, want string }{
		{"./nothere", "cannot run ./nothere: no such file or directory"},
		{"./nothere >x", "cannot run ./nothere: no such file or directory"},
		{"no-such-program --flag", "cannot run no-such-program: executable file not found in $PATH"},
		{"'" + plain + "' --flag", "cannot run " + plain + ": permission denied"},
	} {
		socket := filepath.Join(dir, "s")
		_, stderr, status := call(nil, "serve", "--listen", "unix:"+filepath.Join(dir, "c"),
			"--socket", socket, "--worker", "default="+c.command)
		if want := "upload-response: app default: " + c.want + "\n"; status != 1 ||
			stderr != want {
			t.Errorf("status %d, %q, want %q", status, stderr, want)
		}
		if _, err := os.Stat(socket); !os.IsNotExist(err) {
			t.Errorf("the socket: %v", err)
		}
	}
}

func TestACommandIsSplitAsAShellSplitsItOrLeftToOne(t *testing.T) {
	for line, want := range map[string][]string{
		"./a --b":                {"./a", "--b"},
		" a\t b ":                {"a", "b"},
		"a 'b c' d\"e f\"g":      {"a", "b c", "de fg"},
		"a '' \"\"":              {"a", "", ""},
		"a --x=y=z k=v":          {"a", "--x=y=z", "k=v"},
		"a '$b' '*' \"it's\" %":  {"a", "$b", "*", "it's", "%"},
		"python3 -m x y:z --w 4": {"python3", "-m", "x", "y:z", "--w", "4"},
		"sh -c 'a; b >c'":        {"sh", "-c", "a; b >c"},
		"a#b c":                  {"a#b", "c"},
		"grüße 'ü'":              {"grüße", "ü"},

		"a $b": nil, "a \"$b\"": nil, "a `b`": nil, "a \\ b": nil, "a; b": nil, "a | b": nil, "a && b": nil,
		"a >b": nil, "a <b": nil, "a *": nil, "a [b]": nil, "a b?": nil, "~/a": nil, "a ~/b": nil, "a {b,c}": nil,
		"(a)": nil, "a # b": nil, "a\nb": nil, "A=b c": nil, "-a x": nil, "! a": nil, "a 'b": nil, "a \"b": nil,
		"'' a": nil,
	} {
		got, plain := splitCommand(line)
		if plain != (want != nil) || plain && !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", line, got, plain, want)
		}
	}
}

func TestTheFirstWordOfACommandIsFoundWhereTheShellFindsIt(t *testing.T) {
	for line, want := range map[string]string{
		"./a --b": "./a", " a": "a", "'a b' c": "a b", `"a b"`: "a b",
		"/x/y.z": "/x/y.z", "python3.12 -m x": "python3.12",

		"$A b": "", "~/a": "", "'a'b": "", "a'b' c": "", "-a x y": "", `"$A"`: "", "A=b c": "",
		"'a": "", "a\\ b": "", "a;b": "", "": "", "''": "",
	} {
		if got, ok := firstWord(line); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v; want %q", line, got, ok, want)
		}
	}
}

// Requests wait for workers that come back, but not for those that never came.
func TestRequestsDoNotWaitForWorkersThatNeverCameUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := "sh -c 'test -e " + ready + " || exit 3; exec " + self + " worker echo --pool default'"
	p := startProcess(t, "serve", "--listen", "unix:"+filepath.Join(dir, "c"), "--socket", filepath.Join(dir, "s"),
		"--queue-timeout", "1h", "--worker", "default="+script, "--workers", "2")
	p.found("msg=ready")
	client := unixClient(t, filepath.Join(dir, "c"))
	status := func() int {
		response, err := client.Get("http://server/")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if got := status(); got != http.StatusServiceUnavailable { // it waits until that is clear
		t.Errorf("status %d", got)
	}
	p.found(`msg="no worker of the pool comes up, its requests fail" pool=default how="exit status 3"`)
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("status %d", got)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	worker := pid(t, p.found(`msg="link attached" .* pid=(\d+)`))
	if got := status(); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if err := unix.Kill(worker, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != http.StatusOK { // it waits for the next
		t.Errorf("status %d", got)
	}
}
