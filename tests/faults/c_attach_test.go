package faults_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// cCommand is a C worker with nothing of ours in its environment but where to
// attach.
func cCommand(program, socket, pool string, args ...string) *exec.Cmd {
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), harness.SocketVariable+"="+socket, "UPLOAD_RESPONSE_POOL="+pool)
	return command
}

func probeCommand(program, socket string) *exec.Cmd { return cCommand(program, socket, "c", "probe") }

// wantRefused fails the test unless the worker ends because it was refused, with
// the error and all of this in its text.
func wantRefused(t testing.TB, p *harness.Process, err syscall.Errno, texts ...string) {
	t.Helper()
	if status := p.Wait(); status != 3 {
		t.Fatalf("the worker ended with %s: %s", p.How(), p.Output())
	}
	for _, text := range append(texts, fmt.Sprintf("<refused %d, ", err)) {
		if !strings.Contains(p.Output(), text) {
			t.Errorf("the refusal does not say %q: %s", text, p.Output())
		}
	}
}

func TestACWorkerForAPoolThatIsNotThereIsToldSo(t *testing.T) {
	program := cbuild.Program(t, "tests/faulty.c")
	s := harness.Start(t, withC)
	p := harness.StartCommand(t, io.Discard, cCommand(program, s.Socket, "nobody"))
	wantRefused(t, p, syscall.ENXIO, `no route leads to pool "nobody"`)
	if refused := s.Router.Stats().Refused; refused != 1 {
		t.Errorf("%d attaches refused, want 1", refused)
	}
}

func TestACWorkerOfAnotherUserIsToldThatItMayNotAttach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	const nobody, nogroup = 65534, 65533
	program := cbuild.Program(t, "tests/faulty.c")
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprint("allowed ", allowed), func(t *testing.T) {
			s := harness.Start(t, func(c *server.Config) {
				withC(c)
				if allowed {
					c.AllowGIDs = []uint32{nogroup}
				}
			})
			harness.Check(t, os.Chmod(filepath.Dir(s.Socket), 0o755))
			harness.Check(t, os.Chmod(s.Socket, 0o666)) // as ListenWorkers does when others may attach
			command := cCommand(program, s.Socket, "c")
			command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nogroup}}
			p := harness.StartCommand(t, io.Discard, command)
			if allowed {
				awaitSaid(t, p, "attached", 1)
				wantServes(t, s, p)
				return
			}
			wantRefused(t, p, syscall.EACCES, fmt.Sprintf("user %d, group %d may not attach", nobody, nogroup))
		})
	}
}

// fakeServer answers every hello with the same packet, and any descriptors, and
// then with silence.
func fakeServer(t testing.TB, answer attach.Message, files ...*os.File) (socket string) {
	t.Helper()
	socket = socketPath(t)
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: socket, Net: "unixpacket"})
	harness.Check(t, err)
	packet, err := attach.Encode(answer)
	harness.Check(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Read(make([]byte, attach.MaxMessage))
			var fds []int
			for _, file := range files {
				fds = append(fds, int(file.Fd()))
			}
			_, _, _ = conn.WriteMsgUnix(packet, unix.UnixRights(fds...), nil)
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-served })
	return socket
}

func TestAServerThatRefusesTheLayoutNamesItsVersionsToACWorker(t *testing.T) {
	program := cbuild.Program(t, "tests/faulty.c")
	_, err := attach.Negotiate(attach.LayoutRange{Min: 7, Max: 9},
		attach.LayoutRange{Min: shm.LayoutMin, Max: shm.LayoutMax})
	refusal, ok := err.(*attach.Refusal)
	if !ok {
		t.Fatalf("no refusal: %v", err)
	}
	p := harness.StartCommand(t, io.Discard, cCommand(program, fakeServer(t, refusal), "c"))
	wantRefused(t, p, syscall.EPROTONOSUPPORT, "layouts 7 to 9", refusal.Message)
	for _, both := range []string{"7", "9", fmt.Sprint(shm.LayoutMin)} {
		if !strings.Contains(refusal.Message, both) {
			t.Errorf("the message does not name %s: %s", both, refusal.Message)
		}
	}
}

// A welcome is not believed: the segments have to say the same.
func TestACWorkerDoesNotServeAMemoryThatItDoesNotKnow(t *testing.T) {
	program := cbuild.Program(t, "tests/faulty.c")
	segment := func(name string, seals int) *os.File {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		harness.Check(t, err)
		file := os.NewFile(uintptr(fd), name)
		t.Cleanup(func() { _ = file.Close() })
		harness.Check(t, file.Truncate(1<<16))
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals)
		harness.Check(t, err)
		return file
	}
	const sized = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW
	request, response := segment("request", sized|unix.F_SEAL_FUTURE_WRITE|unix.F_SEAL_SEAL),
		segment("response", sized|unix.F_SEAL_SEAL)
	loose := segment("loose", 0)
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	harness.Check(t, err)
	eventfd := os.NewFile(uintptr(bell), "bell")
	defer eventfd.Close()
	welcome := func(hash uint64) attach.Message {
		return &attach.Welcome{
			Layout: shm.LayoutMax, LayoutHash: hash, Server: "fake", Lanes: 4, RequestBytes: 1 << 16,
			ResponseBytes: 1 << 16,
		}
	}
	for name, c := range map[string]struct {
		hash  uint64
		files []*os.File
		text  string
	}{
		"another layout": {shm.LayoutHash() + 1, []*os.File{request, response, eventfd},
			"do not agree on the layout"},
		"an empty segment": {shm.LayoutHash(), []*os.File{request, response, eventfd},
			"do not agree on the layout"},
		"segments without a seal": {shm.LayoutHash(), []*os.File{loose, loose, eventfd},
			"cannot map the shared memory"},
		"too few descriptors": {shm.LayoutHash(), []*os.File{request, response}, "something else than a welcome"},
		"a bell that it has not": {shm.LayoutHash(), []*os.File{request, response, eventfd, eventfd},
			"something else than a welcome"},
		"no descriptors, whatever": {shm.LayoutHash(), nil, "something else than a welcome"},
	} {
		t.Run(name, func(t *testing.T) {
			p := harness.StartCommand(t, io.Discard, cCommand(program, fakeServer(t, welcome(c.hash), c.files...), "c"))
			wantRefused(t, p, syscall.EPROTO, c.text)
		})
	}
}
