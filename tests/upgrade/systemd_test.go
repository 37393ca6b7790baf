package upgrade_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// manager is where a server tells what it does, in place of systemd.
type manager struct {
	t    testing.TB
	conn *net.UnixConn
}

// newManager listens, and returns the variable that says where.
func newManager(t testing.TB) (m *manager, variable string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "ur")
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &manager{t, conn}, "NOTIFY_SOCKET=" + path
}

// wants takes the next message, which has to look like that.
func (m *manager) wants(pattern string) {
	m.t.Helper()
	harness.Check(m.t, m.conn.SetReadDeadline(time.Now().Add(harness.Patience)))
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	harness.Check(m.t, err)
	if got := string(b[:n]); !regexp.MustCompile(`^` + pattern + `$`).MatchString(got) {
		m.t.Fatalf("the service manager hears %q, want %s", got, pattern)
	}
}

// The service manager follows the service from process to process.
func TestTheServiceManagerHearsWhatTheServerDoes(t *testing.T) {
	m, variable := newManager(t)
	s := startFor(t, func(c *exec.Cmd) { c.Env = append(c.Env, variable) },
		append(workers(t), "--listen", "127.0.0.1:0", "--reload-workers")...)
	m.wants(fmt.Sprintf("MAINPID=%d\nREADY=1", s.first.Process.Pid))
	awaitAnswer(t, harness.NewClient(t, 1, nil), s.clear)
	if output, err := s.run("reload"); err != nil ||
		output != fmt.Sprintf("process %d has read its files again\n", s.first.Process.Pid) {
		t.Errorf("reload: %v, %s", err, output)
	}
	m.wants(`RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	m.wants("READY=1")
	pid := s.upgrade()
	m.wants(fmt.Sprintf("MAINPID=%d\nREADY=1", pid))
	s.awaitEnd()
	harness.Check(t, syscall.Kill(pid, syscall.SIGTERM))
	m.wants("STOPPING=1")
	harness.Eventually(t, "the end", func() bool { return syscall.Kill(pid, 0) != nil })
}

// Sockets that systemd has opened pass from process to process.
func TestSocketsOfTheServiceManagerAreHandedOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	file, err := l.(*net.TCPListener).File()
	harness.Check(t, err)
	defer file.Close()
	url := "http://" + l.Addr().String()
	harness.Check(t, l.Close()) // the file is another descriptor
	s := startFor(t, func(c *exec.Cmd) {
		c.ExtraFiles = []*os.File{file}
		// LISTEN_PID is the process that the shell becomes.
		c.Args = []string{"/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec ` + strings.Join(quoted(c.Args), " ")}
		c.Path = "/bin/sh"
	}, workers(t)...)
	client := harness.NewClient(t, 1, nil)
	awaitAnswer(t, client, url)
	for range 2 {
		s.upgrade()
		s.awaitEnd()
		client.CloseIdleConnections()
		if status := get(client, url); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	s.stop()
}

// quoted returns words for a shell.
func quoted(words []string) (list []string) {
	for _, w := range words {
		list = append(list, "'"+w+"'")
	}
	return list
}
