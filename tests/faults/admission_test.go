package faults_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// manyLinks is a configuration for many small links.
func manyLinks(n int) func(*server.Config) {
	return func(c *server.Config) {
		small(c)
		c.MaxLinks, c.LinkMemory = n, 256<<10
	}
}

func TestSixtyFourWorkersAttachAtOnce(t *testing.T) {
	const n = 64
	s := harness.Start(t, manyLinks(n))
	got := make([]*handworker.Attachment, n)
	failed := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { got[i], failed[i] = handworker.Attach(s.Socket, "default", attach.BellFutex, 4) })
	}
	all.Wait()
	harness.Check(t, errors.Join(failed...))
	for _, a := range got {
		defer a.CloseFiles()
		defer a.Leave()
	}
	harness.Eventually(t, "all of them to be links", func() bool { return s.Router.Stats().Links == n })
}

func TestAWorkerThatCrashesAndAttachesAgainIsServed(t *testing.T) {
	s := harness.Start(t, small)
	for i := range 40 {
		a, err := handworker.Attach(s.Socket, "default", attach.BellFutex, 4)
		if err != nil {
			t.Fatalf("attach %d: %v", i, err)
		}
		a.Leave()
		a.CloseFiles()
	}
}

// What a link had goes back to the machine when it is over, although its worker keeps
// the descriptors.
func TestAWorkerKeepsNoMemoryOfLinksThatAreOver(t *testing.T) {
	const links = 60 // four times as much memory as there is for all of them
	s := harness.Start(t, small)
	var kept []*handworker.Attachment
	for i := range links {
		a, err := handworker.Attach(s.Socket, "default", attach.BellFutex, 4)
		if err != nil {
			t.Fatalf("attach %d: %v", i, err)
		}
		defer a.CloseFiles()
		kept = append(kept, a)
		a.Leave()
	}
	harness.Eventually(t, "the memory of all links to come back", func() bool {
		var bytes int64
		for _, a := range kept {
			var stat unix.Stat_t
			harness.Check(t, unix.Fstat(int(a.Response.Fd()), &stat))
			bytes += stat.Blocks * 512
		}
		return bytes == 0
	})
}

func TestASecondDrainEndsTheLink(t *testing.T) {
	s := harness.Start(t, small)
	a, err := handworker.Attach(s.Socket, "default", attach.BellFutex, 4)
	harness.Check(t, err)
	defer a.CloseFiles()
	defer a.Leave()
	packet, err := attach.Encode(&attach.Drain{})
	harness.Check(t, err)
	for range 2 {
		_, err = a.Conn.Write(packet)
		harness.Check(t, err)
	}
	harness.Check(t, a.Conn.SetReadDeadline(time.Now().Add(harness.Patience)))
	message, err := a.Hear()
	harness.Check(t, err)
	if refusal, ok := message.(*attach.Refusal); !ok || refusal.Code != attach.CodeEvicted {
		t.Errorf("the server answered %+v", message)
	}
	harness.Eventually(t, "the eviction to be counted", func() bool { return s.Router.Stats().Evicted == 1 })
}

// nobody is a user who may not attach.
const nobody = 65534

func TestWhoMayNotAttachHoldsNothingAndIsToldSo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of another user")
	}
	s := harness.Start(t, small)
	harness.Check(t, os.Chmod(filepath.Dir(s.Socket), 0o755))
	harness.Check(t, os.Chmod(s.Socket, 0o666))
	program := filepath.Join(filepath.Dir(s.Socket), "stranger")
	copyProgram(t, program) // the folder of this program is closed to others
	command := exec.Command(program)
	command.Env = append(os.Environ(), "UPLOAD_RESPONSE_TEST_ROLE=stranger", harness.SocketVariable+"="+s.Socket)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	p := harness.StartCommand(t, io.Discard, command)
	awaitSaid(t, p, "done", 1)
	for _, want := range []string{"<denied>", "<connections went>"} {
		if !strings.Contains(p.Output(), want) {
			t.Errorf("the stranger did not say %s", want)
		}
	}
	if got := strings.Count(s.Log.String(), "attach refused"); got > 40 {
		t.Errorf("%d lines for 100 refusals", got)
	}
}

// copyProgram copies this program to a path.
func copyProgram(t testing.TB, path string) {
	t.Helper()
	from, err := os.Open(os.Args[0])
	harness.Check(t, err)
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	harness.Check(t, err)
	_, err = io.Copy(to, from)
	harness.Check(t, errors.Join(err, to.Close()))
}

// strangerRole is a process that may not attach. It asks, and then opens many connections
// and says nothing.
func strangerRole() {
	socket := os.Getenv(harness.SocketVariable)
	_, err := handworker.Attach(socket, "default", attach.BellFutex, 4)
	if err != nil && strings.Contains(err.Error(), attach.CodeDenied) {
		fmt.Println("<denied>")
	}
	var silent []*net.UnixConn
	for range 100 {
		conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
		must(err)
		silent = append(silent, conn)
	}
	deadline, open := time.Now().Add(3*time.Second), 0 // a hello is awaited for 5
	for _, conn := range silent {
		_ = conn.SetReadDeadline(deadline)
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open == 0 {
		fmt.Println("<connections went>")
	} else {
		fmt.Println(open, "are still open")
	}
	fmt.Println("<done>")
}
