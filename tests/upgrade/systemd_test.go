package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// manager is where a server tells what it does, in place of systemd.
type manager struct {
	t    testing.TB
	conn *net.UnixConn
}

// message is one that a process has sent, as the kernel says.
type message struct {
	pid   int
	lines []string
}

// newManager listens, and returns the variable that says where: a path, or a name of the abstract kind.
func newManager(t testing.TB, abstract bool) (m *manager, variable string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "ur")
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	where := filepath.Join(folder, "notify")
	if abstract {
		where = "@" + where
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: where, Net: "unixgram"})
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	raw, err := conn.SyscallConn()
	harness.Check(t, err)
	harness.Check(t, errors.Join(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}), err))
	return &manager{t, conn}, "NOTIFY_SOCKET=" + where
}

// next takes the next message.
func (m *manager) next() message {
	m.t.Helper()
	harness.Check(m.t, m.conn.SetReadDeadline(time.Now().Add(harness.Patience)))
	b, oob := make([]byte, 4096), make([]byte, 256)
	n, noob, _, _, err := m.conn.ReadMsgUnix(b, oob)
	harness.Check(m.t, err)
	list, err := unix.ParseSocketControlMessage(oob[:noob])
	harness.Check(m.t, err)
	if len(list) != 1 {
		m.t.Fatalf("%d control messages", len(list))
	}
	from, err := unix.ParseUnixCredentials(&list[0])
	harness.Check(m.t, err)
	return message{int(from.Pid), strings.Split(string(b[:n]), "\n")}
}

// awaits takes messages until one has a line that looks like each pattern, and returns it.
func (m *manager) awaits(patterns ...string) message {
	m.t.Helper()
	for end := time.Now().Add(harness.Patience); time.Now().Before(end); {
		got := m.next()
		missing := slices.DeleteFunc(slices.Clone(patterns), func(pattern string) bool {
			return slices.ContainsFunc(got.lines, regexp.MustCompile(`^(?:`+pattern+`)$`).MatchString)
		})
		if len(missing) == 0 {
			return got
		}
	}
	m.t.Fatalf("the service manager hears nothing like %q", patterns)
	return message{}
}

// wants takes the next message that is neither a status alone nor a sign of life: from a process, with lines that
// look like that.
func (m *manager) wants(pid int, patterns ...string) {
	m.t.Helper()
	got := m.next()
	for len(got.lines) == 1 && (strings.HasPrefix(got.lines[0], "STATUS=") || got.lines[0] == "WATCHDOG=1") {
		got = m.next()
	}
	text := strings.Join(got.lines, "\n")
	if got.pid != pid || !regexp.MustCompile(`^`+strings.Join(patterns, `\n`)+`$`).MatchString(text) {
		m.t.Fatalf("the service manager hears %q from %d, want %q from %d", text, got.pid, patterns, pid)
	}
}

// The service manager follows the service from process to process.
func TestTheServiceManagerHearsWhatTheServerDoes(t *testing.T) {
	m, variable := newManager(t, false)
	s := startFor(t, func(c *exec.Cmd) { c.Env = append(c.Env, variable) },
		append(workers(t), "--listen", "127.0.0.1:0", "--reload-workers")...)
	first := s.first.Process.Pid
	begins := m.awaits(fmt.Sprintf("MAINPID=%d", first), "READY=1", "STATUS=apps: 1, workers: [012] of 2, .*: 0")
	if begins.pid != first {
		t.Errorf("process %d says that it is ready, want %d", begins.pid, first)
	}
	if !strings.Contains(strings.Join(begins.lines, " "), "2 of 2") {
		m.awaits("STATUS=apps: 1, workers: 2 of 2, requests in progress: 0")
	}
	if output, err := s.run("reload"); err != nil ||
		output != fmt.Sprintf("process %d has read its files again\n", first) {
		t.Errorf("reload: %v, %s", err, output)
	}
	m.wants(first, "RELOADING=1", `MONOTONIC_USEC=\d+`)
	m.wants(first, "READY=1(?:\nSTATUS=.*)?")
	second := s.upgrade()
	heard := map[int]string{}
	for len(heard) < 2 {
		if got := m.awaits(fmt.Sprintf("MAINPID=%d", second)); got.pid == first || got.pid == second {
			heard[got.pid] = strings.Join(got.lines, "\n")
		}
	}
	if want := fmt.Sprintf("MAINPID=%d\nREADY=1\nSTATUS=", second); !strings.HasPrefix(heard[second], want) {
		t.Errorf("the new process says %q, want %q", heard[second], want)
	}
	s.awaitEnd()
	harness.Check(t, syscall.Kill(second, syscall.SIGTERM))
	m.wants(second, "STOPPING=1", "STATUS=draining, requests in progress: 0")
	harness.Eventually(t, "the end", func() bool { return syscall.Kill(second, 0) != nil })
}

// A reload that fails ends as such: the service is ready again, as it was, and the status says why.
func TestTheServiceManagerHearsWhyAReloadHasFailed(t *testing.T) {
	m, variable := newManager(t, true)
	file := filepath.Join(t.TempDir(), "c.yaml")
	harness.Check(t, os.WriteFile(file, []byte("routes: [{respond: {body: one}}]\n"), 0o600))
	s := startFor(t, func(c *exec.Cmd) { c.Env = append(c.Env, variable) }, "--listen", "127.0.0.1:0", "-c", file)
	first := s.first.Process.Pid
	m.wants(first, "MAINPID=.*", "READY=1", "STATUS=.*")
	harness.Check(t, os.WriteFile(file, []byte("rutes: []\n"), 0o600))
	harness.Check(t, s.first.Process.Signal(syscall.SIGHUP))
	m.wants(first, "RELOADING=1", `MONOTONIC_USEC=\d+`)
	m.wants(first, "READY=1",
		"STATUS=the last reload has changed nothing: .*: unknown key rutes: did you mean routes.; .*")
	harness.Check(t, os.WriteFile(file, []byte("routes: [{respond: {body: two}}]\n"), 0o600))
	harness.Check(t, s.first.Process.Signal(syscall.SIGHUP))
	m.wants(first, "RELOADING=1", `MONOTONIC_USEC=\d+`)
	m.wants(first, "READY=1", "STATUS=links of workers: 0, requests in progress: 0")
	s.stop()
}

// The status follows the workers and the requests, and says that the server is about to end for as long as that takes.
func TestTheServiceManagerSeesRequestsInProgress(t *testing.T) {
	m, variable := newManager(t, false)
	s := startFor(t, func(c *exec.Cmd) { c.Env = append(c.Env, variable) },
		append(workers(t), "--listen", "127.0.0.1:0")...)
	awaitAnswer(t, harness.NewClient(t, 1, nil), s.clear)
	u := begin(t, harness.NewClient(t, 1, nil), s.clear)
	m.awaits("STATUS=apps: 1, workers: [12] of 2, requests in progress: 1")
	harness.Check(t, s.first.Process.Signal(syscall.SIGTERM))
	m.wants(s.first.Process.Pid, "STOPPING=1", "STATUS=draining, requests in progress: 1")
	u.end(t)
	s.awaitEnd()
}

// The watchdog hears of the server at least twice in its time, and after an upgrade only of the new process.
func TestTheWatchdogHearsThatTheServerIsAlive(t *testing.T) {
	const timeout = 400 * time.Millisecond
	m, variable := newManager(t, false)
	s := startFor(t, func(c *exec.Cmd) {
		c.Env = append(c.Env, variable, fmt.Sprintf("WATCHDOG_USEC=%d", timeout.Microseconds()))
	}, append(workers(t), "--listen", "127.0.0.1:0")...)
	first := s.first.Process.Pid
	for range 6 {
		if got := m.awaits("WATCHDOG=1"); got.pid != first {
			t.Fatalf("from process %d, want %d", got.pid, first)
		}
	}
	second := s.upgrade()
	for m.next().pid != second { // what the first has still said
	}
	s.awaitEnd()
	for last := time.Now(); ; {
		got := m.awaits("WATCHDOG=1")
		if got.pid == second && time.Since(last) > 2*timeout {
			break
		}
		if got.pid != second {
			last = time.Now() // it lay there
		}
	}
	harness.Check(t, syscall.Kill(second, syscall.SIGSTOP))
	silence := func() bool {
		harness.Check(t, m.conn.SetReadDeadline(time.Now().Add(2*timeout)))
		_, err := m.conn.Read(make([]byte, 4096))
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	harness.Eventually(t, "silence", silence)
	harness.Check(t, syscall.Kill(second, syscall.SIGCONT))
	m.awaits("WATCHDOG=1")
	s.stop()
}

// passOn has a server start with sockets as from systemd. The descriptors of the listeners are closed here.
func passOn(t testing.TB, names string, sockets ...interface{ File() (*os.File, error) }) func(*exec.Cmd) {
	t.Helper()
	var files []*os.File
	for _, socket := range sockets {
		file, err := socket.File()
		harness.Check(t, err)
		t.Cleanup(func() { _ = file.Close() })
		harness.Check(t, socket.(io.Closer).Close()) // the file is another descriptor
		files = append(files, file)
	}
	return func(c *exec.Cmd) {
		c.ExtraFiles = files
		// LISTEN_PID is the process that the shell becomes.
		c.Args = []string{"/bin/sh", "-c", fmt.Sprintf("LISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=%s exec %s",
			len(files), names, strings.Join(quoted(c.Args), " "))}
		c.Path = "/bin/sh"
	}
}

// listenTCP listens on a port of this machine.
func listenTCP(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	return l.(*net.TCPListener)
}

// Sockets that systemd has opened pass from process to process: by order without --listen, or by name.
func TestSocketsOfTheServiceManagerAreHandedOver(t *testing.T) {
	l := listenTCP(t)
	url := "http://" + l.Addr().String()
	s := startFor(t, passOn(t, "", l), workers(t)...)
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

// Each socket is served as the address says that has its name, whatever their order: in the clear, or over TLS and
// with a datagram socket HTTP/3; a Unix socket, too, whose file stays when the server has ended.
func TestSocketsOfTheServiceManagerAreTakenByName(t *testing.T) {
	secure, clear, second := listenTCP(t), listenTCP(t), listenTCP(t)
	packets, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(secure.Addr().(*net.TCPAddr).AddrPort()))
	harness.Check(t, err)
	path := filepath.Join(t.TempDir(), "local")
	local, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	harness.Check(t, err)
	local.SetUnlinkOnClose(false)
	urls := [][]string{1: {"http://" + clear.Addr().String(), "http://" + second.Addr().String()},
		2: {"https://" + secure.Addr().String()}, 3: {"https://" + secure.Addr().String()}}
	s := startFor(t, passOn(t, "local:secure:clear:secure:clear", local, packets, clear, secure, second),
		append(workers(t), "--listen", "fd:clear", "--listen", "https+fd:secure", "--listen", "fd:local",
			"--listen", "fd:clear", "--tls-self-signed")...)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	overFile := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	for range 2 { // before and after an upgrade
		for version, list := range urls {
			for _, url := range list {
				awaitAnswer(t, harness.NewClient(t, version, trusting()), url)
			}
		}
		awaitAnswer(t, overFile, "http://local")
		s.upgrade()
		s.awaitEnd()
	}
	s.stop()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket file, which systemd has made: %v", err)
	}
}

// Sockets that no address takes, and addresses whose sockets are not there, are mistakes in the unit files: the error
// has the names.
func TestSocketsWithoutAnAddressAreAnError(t *testing.T) {
	for _, test := range []struct {
		names  string
		listen []string
		want   string
	}{
		{"web:other", []string{"fd:web"}, `systemd has opened sockets that no address takes: other ` +
			`\(stream 127\.0\.0\.1:\d+, descriptor 4\): add --listen fd:NAME, `},
		{"web:other", []string{"127.0.0.1:0"}, `no address takes: other \(.*\), web \(stream `},
		{"web:other", []string{"fd:web", "fd:3"}, `cannot listen on fd:3: `},
		{"web:other", []string{"fd:webb"}, `cannot listen on fd:webb: no socket of that name is left: systemd has ` +
			`opened other \(stream .*\), web \(stream .*\) \(choose another address with --listen\)`},
	} {
		args := []string{"serve", "--socket", filepath.Join(t.TempDir(), "s")}
		for _, a := range test.listen {
			args = append(args, "--listen", a)
		}
		command := exec.Command(program(t), args...)
		passOn(t, test.names, listenTCP(t), listenTCP(t))(command)
		output, err := command.CombinedOutput()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 ||
			!regexp.MustCompile(test.want).Match(output) {
			t.Errorf("%q %q: %v, %s; want %s", test.names, test.listen, err, output, test.want)
		}
	}
}

// quoted returns words for a shell.
func quoted(words []string) (list []string) {
	for _, w := range words {
		list = append(list, "'"+w+"'")
	}
	return list
}
