// Package upgrade_test has new processes of the program take the place of a running one, while
// clients of every version of HTTP send requests: none is refused, and none is cut off.
package upgrade_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m, nil) }

// program returns the path of the server: UPLOAD_RESPONSE names one that is built already.
func program(t testing.TB) string {
	t.Helper()
	path, err := build()
	harness.Check(t, err)
	return path
}

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("UPLOAD_RESPONSE"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "upgrade")
	if err != nil {
		return "", err
	}
	harness.AtEnd(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "upload-response")
	return path, cbuild.Run("../..", []string{"CGO_ENABLED=0"}, "go", "build", "-buildvcs=false", "-o", path,
		"./cmd/upload-response")
})

// site is a server that can be replaced by others.
type site struct {
	t              testing.TB
	first          *exec.Cmd
	ended          chan struct{} // closed when the first process has ended
	program        string        // a link to what the next process runs
	folder, socket string
	clear, secure  string // URLs
}

// start starts one. Whatever process of it runs at the end of the test is killed.
func start(t testing.TB, arguments ...string) *site {
	t.Helper()
	return startFor(t, nil, arguments...)
}

// startFor is start with a command that change has changed.
func startFor(t testing.TB, change func(*exec.Cmd), arguments ...string) *site {
	t.Helper()
	folder, err := os.MkdirTemp("", "ur") // a short path, for the socket
	harness.Check(t, err)
	s := &site{t: t, folder: folder, program: filepath.Join(folder, "server"), ended: make(chan struct{}),
		socket: filepath.Join(folder, "w.sock")}
	harness.Check(t, os.Symlink(program(t), s.program))
	output, err := os.Create(filepath.Join(folder, "log")) // not a pipe, which later processes would hold open
	harness.Check(t, err)
	defer output.Close()
	command := exec.Command(s.program, append([]string{"serve", "--socket", s.socket, "--memory", "32MiB"},
		arguments...)...)
	command.Env = os.Environ()
	if change != nil {
		change(command)
	}
	command.Stdout, command.Stderr = output, output
	s.first = command
	harness.Check(t, command.Start())
	go func() {
		_ = command.Wait()
		close(s.ended)
	}()
	t.Cleanup(s.close)
	ready := s.found(`msg=ready listen=("[^"]*"|\S+)`)
	for _, address := range strings.Fields(strings.Trim(ready, `"`)) {
		switch {
		case strings.HasPrefix(address, "https://"):
			s.secure = address
		case !strings.HasPrefix(address, "unix:"):
			s.clear = "http://" + address
		}
	}
	return s
}

// workers are the flags of two built-in workers that send back what they get.
func workers(t testing.TB) []string {
	return []string{"--worker", "default=" + program(t) + " worker echo --pool default", "--workers", "2"}
}

// everywhere are the flags of listeners for all versions of HTTP.
func everywhere() []string {
	return []string{"--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0", "--tls-self-signed"}
}

// close kills what is left of the processes.
func (s *site) close() {
	_ = s.first.Process.Kill()
	<-s.ended
	log := s.log()
	for _, m := range regexp.MustCompile(`another process starts" pid=(\d+)`).FindAllStringSubmatch(log, -1) {
		pid, _ := strconv.Atoi(m[1])
		if name, _ := os.ReadFile("/proc/" + m[1] + "/cmdline"); strings.HasPrefix(string(name), s.program+"\x00") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if s.t.Failed() {
		s.t.Logf("the processes have logged\n%s", log)
	}
	_ = os.RemoveAll(s.folder)
}

// log returns what all processes have logged so far.
func (s *site) log() string {
	b, err := os.ReadFile(filepath.Join(s.folder, "log"))
	harness.Check(s.t, err)
	return string(b)
}

// awaitEnd waits for the end of the first process, which has to be a good one.
func (s *site) awaitEnd() {
	s.t.Helper()
	harness.Receive(s.t, "the end of the first process", s.ended)
	if !s.first.ProcessState.Success() {
		s.t.Errorf("the first process ended with %s", s.first.ProcessState)
	}
}

// found waits for a match in the log, and returns its last group.
func (s *site) found(pattern string) (group string) {
	s.t.Helper()
	expression := regexp.MustCompile(pattern)
	harness.Eventually(s.t, "a line like "+pattern, func() bool {
		match := expression.FindStringSubmatch(s.log())
		if match != nil {
			group = match[len(match)-1]
		}
		return match != nil
	})
	return group
}

// server returns the process that the kernel names as that of the worker socket.
func (s *site) server() int {
	s.t.Helper()
	pid, err := listen.ServerProcess(s.socket)
	harness.Check(s.t, err)
	return pid
}

// run runs a command about the server.
func (s *site) run(command string, arguments ...string) (output string, err error) {
	all := append([]string{command, "--socket", s.socket}, arguments...)
	b, err := exec.Command(program(s.t), all...).CombinedOutput()
	return string(b), err
}

// upgrade has another process take over, and returns its id.
func (s *site) upgrade() int {
	s.t.Helper()
	output, err := s.run("upgrade")
	if err != nil {
		s.t.Fatalf("upgrade: %v\n%s", err, output)
	}
	m := regexp.MustCompile(`^process (\d+) serves in place of process (\d+)\n$`).FindStringSubmatch(output)
	if m == nil {
		s.t.Fatalf("upgrade says %q", output)
	}
	pid, err := strconv.Atoi(m[1])
	harness.Check(s.t, err)
	if got := s.server(); got != pid {
		s.t.Errorf("the worker socket is that of process %d, want %d", got, pid)
	}
	return pid
}

// stop ends the server, and checks that it leaves no files.
func (s *site) stop() {
	s.t.Helper()
	if output, err := s.run("stop"); err != nil {
		s.t.Fatalf("stop: %v\n%s", err, output)
	}
	left, err := filepath.Glob(s.socket + "*")
	if err != nil || len(left) > 0 {
		s.t.Errorf("files left: %q, %v", left, err)
	}
}

// trusting is what clients believe: any certificate, since each process makes one.
func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// awaitAnswer waits until a request succeeds: the worker is there.
func awaitAnswer(t testing.TB, client *http.Client, url string) {
	t.Helper()
	harness.Eventually(t, "an answer", func() bool { return get(client, url) == http.StatusOK })
}

// get returns the status of a response, or 0.
func get(client *http.Client, url string) int {
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
