package worker

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
)

func TestAServerIsBelievedThatIsOursOrRootsOrNamed(t *testing.T) {
	const own, other = 1000, 1001
	for _, c := range []struct {
		uid, named int
		want       bool
	}{
		{own, noUID, true}, {0, noUID, true}, {other, noUID, false}, {other, other, true}, {1002, other, false},
		{own, other, true}, {0, other, true}, {65534, noUID, false},
	} {
		if err := checkUID(c.uid, own, c.named, "path"); errors.Is(err, ErrServer) == c.want || (err == nil) != c.want {
			t.Errorf("user %d, %d named: %v", c.uid, c.named, err)
		}
	}
}

func TestTheEnvironmentNamesTheServersUserUnlessAnOptionDoes(t *testing.T) {
	for text, want := range map[string]int{"": noUID, "0": 0, "1001": 1001} {
		t.Setenv(ServerUIDVariable, text)
		o := newOptions(nil)
		if uid, err := o.namedUID(); uid != want || err != nil {
			t.Errorf("%q names %d (%v)", text, uid, err)
		}
		o = newOptions([]Option{WithServerUID(7)})
		if uid, err := o.namedUID(); uid != 7 || err != nil {
			t.Errorf("beside %q, 7 is named: %d (%v)", text, uid, err)
		}
	}
	t.Setenv(ServerUIDVariable, "www")
	if err := Serve(context.Background(), "/nowhere", nil); !errors.Is(err, ErrServer) {
		t.Errorf("a name: %v", err)
	}
}

func TestAServerOfAnotherUserIsSentNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be two users")
	}
	const other = 65533
	listener := listenAs(t, other)
	heard := make(chan int, 1)
	go func() {
		conn, err := listener.AcceptUnix()
		if err != nil {
			heard <- -1
			return
		}
		defer conn.Close()
		n, _ := conn.Read(make([]byte, attach.MaxMessage))
		heard <- n
	}()
	err := Serve(context.Background(), listener.Addr().String(), nil)
	wantError(t, "Serve", err, ErrServer)
	if n := receive(t, "the end of the connection", heard); n != 0 {
		t.Errorf("it was sent %d bytes", n)
	}
}

// listenAs listens on a socket as another user: credentials are a thread's.
func listenAs(t *testing.T, uid int) *net.UnixListener {
	t.Helper()
	folder, err := os.MkdirTemp("", "ur") // where that user can go, too
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	check(t, os.Chmod(folder, 0o777))
	type result struct {
		listener *net.UnixListener
		err      error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			done <- result{err: errno}
			return
		}
		listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(folder, "w"),
			Net: "unixpacket"})
		done <- result{listener, err}
	}()
	r := <-done
	check(t, r.err)
	t.Cleanup(func() { _ = r.listener.Close() })
	return r.listener
}

func TestWithoutAPathTheEnvironmentSaysWhereTheServerIs(t *testing.T) {
	s := newScriptedServer(t)
	go s.welcome(1)
	t.Setenv(attach.SocketVariable, s.socket)
	l, err := Attach(context.Background(), "", WithLanes(1))
	check(t, err)
	check(t, l.Close())
	receive(t, "the end of the link", l.Done())
}
