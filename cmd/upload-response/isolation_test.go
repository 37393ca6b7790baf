package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWorkersDoNotFindWhatIsTheServersAlone(t *testing.T) {
	got := workerEnviron([]string{
		"PATH=/bin", "LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=x", "NOTIFY_SOCKET=/run/n", "WATCHDOG_USEC=1",
		"WATCHDOG_PID=1",
		"UPLOAD_RESPONSE_SOCKET=s", "UPLOAD_RESPONSE_POOL=p", "UPLOAD_RESPONSE_NAME=n", "UPLOAD_RESPONSE_LIBRARY=l",
		"UPLOAD_RESPONSE_LOG_LEVEL=debug",
		"UPLOAD_RESPONSE_TLS_KEY=k", "UPLOAD_RESPONSE_WORKER=x", "UPLOAD_RESPONSE_NUM_STREAMS=1",
		"UPLOAD_RESPONSE_MINE=m",
	})
	want := []string{
		"PATH=/bin", "UPLOAD_RESPONSE_SOCKET=s", "UPLOAD_RESPONSE_POOL=p", "UPLOAD_RESPONSE_NAME=n",
		"UPLOAD_RESPONSE_LIBRARY=l", "UPLOAD_RESPONSE_LOG_LEVEL=debug",
		"UPLOAD_RESPONSE_MINE=m",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDescriptorsAreKeptFromOtherProgramsOneByOneToo(t *testing.T) {
	for name, keep := range map[string]func() error{"at once": closeDescriptorsOnExec,
		"one by one": closeEachDescriptorOnExec} {
		fd, err := unix.Dup(0) // without close-on-exec
		if err != nil {
			t.Fatal(err)
		}
		if err := keep(); err != nil {
			t.Error(err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: flags %#x, %v", name, flags, err)
		}
		_ = unix.Close(fd)
	}
}

// program is how a test starts the program as another user: as a copy in a folder that
// everybody may enter.
type publicProgram struct{ dir, path string }

func newPublicProgram(t *testing.T) publicProgram {
	t.Helper()
	dir, err := os.MkdirTemp("", "ur")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := publicProgram{dir, filepath.Join(dir, "upload-response")}
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(p.path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(to, from)
		_ = to.Close()
	}
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nobody is a user without a right to anything.
const nobody = 65534

func asNobody() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil // we have no more rights than the server
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func TestTheMemoryOfAServerIsClosedToItsOwnUser(t *testing.T) {
	t.Parallel()
	public := newPublicProgram(t)
	for _, dumpable := range []bool{false, true} {
		command := exec.Command(public.path, "serve", "--listen", "127.0.0.1:0",
			"--socket", filepath.Join(public.dir, "s"), fmt.Sprintf("--dumpable=%v", dumpable))
		command.SysProcAttr = asNobody()
		p := startCommand(t, command)
		p.found("msg=(ready)")
		look := exec.Command("cat", fmt.Sprintf("/proc/%d/maps", command.Process.Pid))
		look.SysProcAttr = asNobody()
		text, err := look.Output()
		if read := err == nil && strings.Contains(string(text), "upload-response requests"); read != dumpable {
			t.Errorf("--dumpable=%v: a process of the same user reads the server's memory: %v", dumpable, read)
		}
		p.signal(unix.SIGTERM)
		if status := p.wait(); status != 0 {
			t.Errorf("--dumpable=%v: status %d", dumpable, status)
		}
	}
}
