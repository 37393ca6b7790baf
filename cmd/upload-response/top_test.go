package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// openTerminal returns both ends of a terminal of a size.
func openTerminal(t *testing.T, width, height uint16) (user, program *os.File) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	check(err)
	t.Cleanup(func() { _ = user.Close() })
	fd := int(user.Fd())
	check(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	check(err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	check(err)
	check(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}))
	return user, program
}

// terminal is a program on a terminal, and what it has written there, without what moves the
// cursor.
type terminal struct {
	*process
	keys *os.File
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?>=]*[A-Za-z]|[()][A-Z0-9]|[=>]|\\][^\x07]*\x07)")

func (s *adminSite) onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	user, program := openTerminal(t, 120, 30)
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), asProgram+"=1", "TERM=xterm-256color",
		"UPLOAD_RESPONSE_SOCKET="+s.env["UPLOAD_RESPONSE_SOCKET"])
	command.Stdin, command.Stdout, command.Stderr = program, program, program
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p := &process{t: t, cmd: command, ended: make(chan struct{})}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = program.Close()
	go func() {
		_ = command.Wait()
		close(p.ended)
	}()
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := user.Read(b)
			_, _ = p.out.Write(b[:n])
			if err != nil { // the program has ended
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-p.ended
	})
	return &terminal{p, user}
}

// await waits for text on the screen, which may have been drawn in pieces.
func (x *terminal) await(text string) {
	x.t.Helper()
	eventually(x.t, "on the screen "+text, func() bool {
		return strings.Contains(escapes.ReplaceAllString(x.out.String(), ""), text)
	})
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.keys.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

func TestTopShowsWorkersAndRequestsAndCancelsOne(t *testing.T) {
	t.Parallel()
	s := openSupervised(t, "2")
	answer := s.upload(t, "/on-the-screen", 5<<20)
	x := s.onTerminal(t, "top")
	for _, text := range []string{
		"default", "ready", "default/1", "POST /on-the-screen", "5.0 MiB", "client", "q quit",
	} {
		x.await(text)
	}
	x.press("c")
	x.await("cancel POST /on-the-screen?")
	x.press("y")
	if got := <-answer; !strings.HasPrefix(got, "503 ") {
		t.Errorf("the client got %q", got)
	}
	x.await("the request is over")
	before := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 })
	x.press("\tr")
	x.await("restart default/0?")
	x.press("y")
	s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 && list[0].PID != before[0].PID })
	x.press("q")
	if status := x.wait(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
	eventually(t, "the screen of before", func() bool {
		got := x.out.String()
		return strings.LastIndex(got, "\x1b[?1049l") > strings.LastIndex(got, "\x1b[?1049h")
	})
}

func TestTopOutlivesItsServer(t *testing.T) {
	t.Parallel()
	s := openAdminSite(t)
	x := s.onTerminal(t, "top")
	x.await("no worker is attached")
	s.signal(unix.SIGTERM)
	if status := s.wait(); status != 0 {
		t.Errorf("the server ends with %d", status)
	}
	x.await("trying again")
	x.press("\x03")
	if status := x.wait(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
}

func TestTopPrintsOneFrame(t *testing.T) {
	t.Parallel()
	s := openSupervised(t, "1")
	s.upload(t, "/one-frame", 1000)
	got := s.ask(t, "top", "--once")
	for _, want := range []string{"upload-response ", "default/0 ", "POST /one-frame", " requests/s "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.ContainsAny(got, "\x1b") || strings.Contains(got, " \n") {
		t.Errorf("it has colours, or spaces at the end of lines:\n%q", got)
	}
	if _, stderr, status := call(s.env, "top"); status != 1 || !strings.Contains(stderr, "use --once or --json") {
		t.Errorf("without a terminal: %d, %q", status, stderr)
	}
}
