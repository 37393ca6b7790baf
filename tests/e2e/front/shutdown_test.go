package front_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// attachedIdle is what the server's log says of a link of the pool "idle".
var attachedIdle = regexp.MustCompile(`"link attached".* pool=idle `)

// attachIdle attaches to the pool "idle", which gets no requests, to listen to what the
// server says to workers. It returns when the server counts the link: a worker that has just
// been welcomed may still be turned away by a shutdown.
func attachIdle(t *testing.T, p *e2etest.ServerProcess, socket string) *handworker.Attachment {
	t.Helper()
	a, err := handworker.Attach(socket, "idle", attach.BellFutex, 1)
	harness.Check(t, err)
	t.Cleanup(func() {
		a.Leave()
		a.CloseFiles()
	})
	harness.Check(t, a.Conn.SetDeadline(time.Now().Add(2*harness.Patience)))
	harness.Eventually(t, "the link to be attached", func() bool { return attachedIdle.MatchString(p.Output()) })
	return a
}

// wantMessage fails the test unless the server's next message is of a type.
func wantMessage(t *testing.T, a *handworker.Attachment, kind string) {
	t.Helper()
	if message, err := a.Hear(); err != nil || message.Type() != kind {
		t.Errorf("a worker hears %v (%v), want %s", message, err, kind)
	}
}

func TestSIGTERMLetsRunningExchangesFinish(t *testing.T) {
	socket := filepath.Join(e2etest.ShortFolder(t), "w.sock")
	p := e2etest.StartServer(t, socket, e2etest.SmallServer(), harness.Patience)
	a := e2etest.StartAppFor(t, p, socket)
	listening := attachIdle(t, p, socket)

	c := rawclient.Dial(t, p.Addr)
	c.Begin("POST", "/echo?id=running", "Transfer-Encoding: chunked")
	response := c.Response("POST")
	c.Chunk("before")
	c.Expect(response.Body, "before")
	idle := rawclient.Dial(t, p.Addr)
	idle.Begin("GET", "/idle")
	idle.Want("GET", http.StatusOK)

	p.Signal(syscall.SIGTERM)
	wantMessage(t, listening, "drain")
	p.WantRefused(t)
	idle.WantClosed()
	c.Chunk("after")
	c.Expect(response.Body, "after")
	c.Finish()
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%q after the end", rest)
	}
	wantMessage(t, listening, "bye")
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
