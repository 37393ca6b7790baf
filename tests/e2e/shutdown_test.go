package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	protoattach "github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// control is a worker's control socket and nothing else: it listens to what the
// server says.
type control struct {
	t    *testing.T
	conn *net.UnixConn
}

// dialControl attaches to the pool "idle", which gets no requests.
func dialControl(t *testing.T, socket string) *control {
	t.Helper()
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socket, Net: "unixpacket"})
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	harness.Check(t, conn.SetDeadline(time.Now().Add(2*harness.Patience)))
	hello, err := protoattach.Encode(&protoattach.Hello{
		LayoutMin: shm.LayoutMin, LayoutMax: shm.LayoutMax, Pool: "idle", PID: uint32(os.Getpid()), SDK: "test", Lanes: 1, Bell: protoattach.BellFutex,
	})
	harness.Check(t, err)
	_, err = conn.Write(hello)
	harness.Check(t, err)
	c := &control{t, conn}
	if got := c.hear(); got != "welcome" {
		t.Fatalf("the server answered with %q", got)
	}
	return c
}

// hear returns the type of the server's next message, or its error.
func (c *control) hear() string {
	packet := make([]byte, protoattach.MaxMessage)
	n, _, _, _, err := c.conn.ReadMsgUnix(packet, nil)
	if err != nil || n == 0 {
		return fmt.Sprint("end: ", err)
	}
	message, err := protoattach.Decode(packet[:n])
	if err != nil {
		return err.Error()
	}
	return message.Type()
}

// wantRefused waits until nobody accepts connections any more.
func (p *serverProcess) wantRefused(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "new connections to be refused", func() bool {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

func TestSIGTERMLetsRunningExchangesFinish(t *testing.T) {
	socket := filepath.Join(shortFolder(t), "w.sock")
	p := startServer(t, socket, smallServer(), harness.Patience)
	a := startAppFor(t, p, socket)
	listening := dialControl(t, socket)

	c := dial(t, p.addr)
	c.begin("POST", "/echo?id=running", "Transfer-Encoding: chunked")
	response := c.response("POST")
	c.chunk("before")
	c.expect(response.Body, "before")
	idle := dial(t, p.addr)
	idle.begin("GET", "/idle")
	idle.want("GET", http.StatusOK)

	p.Signal(syscall.SIGTERM)
	if got := listening.hear(); got != "drain" {
		t.Errorf("a worker hears %q first, want drain", got)
	}
	p.wantRefused(t)
	idle.wantClosed()
	c.chunk("after")
	c.expect(response.Body, "after")
	c.finish()
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%q after the end", rest)
	}
	if got := listening.hear(); got != "bye" {
		t.Errorf("a worker hears %q second, want bye", got)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.Output())
	}
	a.awaitSaid(t, "the server said goodbye: server stopped")
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket file is still there")
	}
}

func TestSIGTERMCutsOffWhatTakesTooLong(t *testing.T) {
	socket := filepath.Join(shortFolder(t), "w.sock")
	p := startServer(t, socket, smallServer(), 300*time.Millisecond)
	a := startAppFor(t, p, socket)

	begun := dial(t, p.addr)
	begun.begin("POST", "/echo?id=begun", "Transfer-Encoding: chunked")
	response := begun.response("POST")
	waiting := dial(t, p.addr)
	waiting.begin("GET", "/wait?id=waiting")
	a.awaitSaid(t, "waiting waiting")

	p.Signal(syscall.SIGTERM)
	begun.wantBroken(response)
	if answers := waiting.statuses(); len(answers) > 0 && !slices.Equal(answers, []int{http.StatusServiceUnavailable}) {
		t.Errorf("the other client got %d, want nothing or 503", answers)
	}
	a.awaitSaid(t, "echo begun: 0 bytes, worker: request cancelled: ") // the reason is gone when the server is first
	a.awaitSaid(t, "wait waiting: context canceled, worker: request cancelled: ")
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.Output())
	}
}

func TestSIGTERMToAnIdleServerEndsItAtOnce(t *testing.T) {
	socket := filepath.Join(shortFolder(t), "w.sock")
	p := startServer(t, socket, smallServer(), harness.Patience)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.Output())
	}
}
