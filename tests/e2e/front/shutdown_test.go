package front_test

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

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
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
	hello, err := proto.Encode(&proto.Hello{
		LayoutMin: shm.LayoutMin, LayoutMax: shm.LayoutMax, Pool: "idle", PID: uint32(os.Getpid()), SDK: "test", Lanes: 1, Bell: proto.BellFutex,
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
	packet := make([]byte, proto.MaxMessage)
	n, _, _, _, err := c.conn.ReadMsgUnix(packet, nil)
	if err != nil || n == 0 {
		return fmt.Sprint("end: ", err)
	}
	message, err := proto.Decode(packet[:n])
	if err != nil {
		return err.Error()
	}
	return message.Type()
}

func TestSIGTERMLetsRunningExchangesFinish(t *testing.T) {
	socket := filepath.Join(e2etest.ShortFolder(t), "w.sock")
	p := e2etest.StartServer(t, socket, e2etest.SmallServer(), harness.Patience)
	a := e2etest.StartAppFor(t, p, socket)
	listening := dialControl(t, socket)

	c := rawclient.Dial(t, p.Addr)
	c.Begin("POST", "/echo?id=running", "Transfer-Encoding: chunked")
	response := c.Response("POST")
	c.Chunk("before")
	c.Expect(response.Body, "before")
	idle := rawclient.Dial(t, p.Addr)
	idle.Begin("GET", "/idle")
	idle.Want("GET", http.StatusOK)

	p.Signal(syscall.SIGTERM)
	if got := listening.hear(); got != "drain" {
		t.Errorf("a worker hears %q first, want drain", got)
	}
	p.WantRefused(t)
	idle.WantClosed()
	c.Chunk("after")
	c.Expect(response.Body, "after")
	c.Finish()
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%q after the end", rest)
	}
	if got := listening.hear(); got != "bye" {
		t.Errorf("a worker hears %q second, want bye", got)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.Output())
	}
	a.AwaitSaid(t, "the server said goodbye: server stopped")
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket file is still there")
	}
}

func TestSIGTERMCutsOffWhatTakesTooLong(t *testing.T) {
	socket := filepath.Join(e2etest.ShortFolder(t), "w.sock")
	p := e2etest.StartServer(t, socket, e2etest.SmallServer(), 300*time.Millisecond)
	a := e2etest.StartAppFor(t, p, socket)

	begun := rawclient.Dial(t, p.Addr)
	begun.Begin("POST", "/echo?id=begun", "Transfer-Encoding: chunked")
	response := begun.Response("POST")
	waiting := rawclient.Dial(t, p.Addr)
	waiting.Begin("GET", "/wait?id=waiting")
	a.AwaitSaid(t, "waiting waiting")

	p.Signal(syscall.SIGTERM)
	begun.WantBroken(response)
	if answers := waiting.Statuses(); len(answers) > 0 && !slices.Equal(answers, []int{http.StatusServiceUnavailable}) {
		t.Errorf("the other client got %d, want nothing or 503", answers)
	}
	a.AwaitSaid(t, "echo begun: 0 bytes, worker: request cancelled: ") // the reason is gone when the server is first
	a.AwaitSaid(t, "wait waiting: context canceled, worker: request cancelled: ")
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.Output())
	}
}

func TestSIGTERMToAnIdleServerEndsItAtOnce(t *testing.T) {
	socket := filepath.Join(e2etest.ShortFolder(t), "w.sock")
	p := e2etest.StartServer(t, socket, e2etest.SmallServer(), harness.Patience)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d:\n%s", status, p.Output())
	}
}
