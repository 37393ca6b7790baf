package faults_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestWorkersOfAKilledServerCancelWhatTheyHaveAndAttachToTheNextOne(t *testing.T) {
	socket := socketPath(t)
	first, s := startServer(t, socket)
	slots := harness.StartProcess(t, "slots", harness.SocketVariable+"="+socket)
	handler := harness.StartProcess(t, "handler", harness.SocketVariable+"="+socket, holdVariable+"=1")
	waiting, held := rawclient.Dial(t, s.Addr), rawclient.Dial(t, s.Addr)
	waiting.Begin("GET", "/slots/late")
	awaitSaid(t, slots, "took", 1)
	held.Begin("GET", "/job")
	awaitSaid(t, handler, "holding", 1)

	first.Kill()
	awaitSaid(t, slots, "tail: worker: request cancelled: server gone", 1)
	awaitSaid(t, slots, "respond: worker: request cancelled: server gone", 1)
	awaitSaid(t, handler, "cancelled", 1)
	for _, client := range []*rawclient.HTTP1{waiting, held} {
		client.WantBrokenReply("GET", 0)
	}

	_, s = startServer(t, socket) // in the place of the socket that the first left behind
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/now")
	if r := client.WantReply("GET", 200); r.Body != "slots" {
		t.Errorf("the response is %q", r.Body)
	}
	client.Begin("GET", "/echo")
	wantBy(t, client.WantReply("GET", 200), "GET", handler, "")
}

func TestASecondServerOnASocketIsRefusedAndNamesTheFirst(t *testing.T) {
	socket := socketPath(t)
	first, s := startServer(t, socket)
	harness.StartProcess(t, "handler", harness.SocketVariable+"="+socket)
	second := harness.StartProcess(t, "server", harness.SocketVariable+"="+socket)
	if status := second.Wait(); status != 1 {
		t.Errorf("the second server ended with status %d, want 1", status)
	}
	for _, want := range []string{"<failed>", socket, fmt.Sprintf("process %d", first.PID())} {
		if !strings.Contains(second.Output(), want) {
			t.Errorf("the second server's error does not say %q", want)
		}
	}
	client := rawclient.Dial(t, s.Addr) // the first one goes on
	client.Begin("GET", "/echo")
	client.WantReply("GET", 200)
}

func TestASocketFileThatADeadServerLeftIsReplaced(t *testing.T) {
	socket := socketPath(t)
	first, _ := startServer(t, socket)
	first.Kill()
	if info, err := os.Stat(socket); err != nil || info.Mode().Type() != os.ModeSocket {
		t.Fatalf("the killed server left no socket file: %v", err)
	}
	_, s := startServer(t, socket)
	harness.StartProcess(t, "handler", harness.SocketVariable+"="+socket)
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/echo")
	client.WantReply("GET", 200)
}

func TestAFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	socket := socketPath(t)
	file := func() { harness.Check(t, os.WriteFile(socket, []byte("precious"), 0o600)) }
	folder := func() { harness.Check(t, os.Mkdir(socket, 0o700)) }
	link := func() {
		harness.Check(t, os.WriteFile(socket+".target", []byte("precious"), 0o600))
		harness.Check(t, os.Symlink(socket+".target", socket))
	}
	for name, create := range map[string]func(){"file": file, "folder": folder, "link": link} {
		t.Run(name, func(t *testing.T) {
			create()
			before, err := os.Lstat(socket)
			harness.Check(t, err)
			p := harness.StartProcess(t, "server", harness.SocketVariable+"="+socket)
			if status := p.Wait(); status != 1 || !strings.Contains(p.Output(), "not a socket") {
				t.Errorf("the server ended with status %d: %s", status, p.Output())
			}
			after, err := os.Lstat(socket)
			if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
				t.Errorf("the %s was %v and is %v: %v", name, before, after, err)
			}
			harness.Check(t, os.Remove(socket))
		})
	}
}

func TestAServerWithoutAFolderForItsSocketSaysSo(t *testing.T) {
	socket := filepath.Join(socketPath(t), "w.sock")
	p := harness.StartProcess(t, "server", harness.SocketVariable+"="+socket)
	if status := p.Wait(); status != 1 || !strings.Contains(p.Output(), socket) ||
		!strings.Contains(p.Output(), "no such file") {
		t.Errorf("the server ended with status %d: %s", status, p.Output())
	}
}

const pebibyte = 1 << 50

func TestABudgetBeyondTheMachineFailsTheStartAndSaysWhy(t *testing.T) {
	c := server.DefaultConfig()
	c.Memory = pebibyte
	if _, err := server.NewRouter(c); !errors.Is(err, shm.ErrNoMemory) {
		t.Errorf("want ErrNoMemory, got %v", err)
	}
	p := harness.StartProcess(t, "server", harness.SocketVariable+"="+socketPath(t),
		fmt.Sprintf("%s=%d", memoryVariable, uint64(pebibyte)))
	if status := p.Wait(); status != 1 {
		t.Errorf("the server ended with status %d, want 1", status)
	}
	for _, want := range []string{"not enough memory", "MiB wanted", "available"} {
		if !strings.Contains(p.Output(), want) {
			t.Errorf("the server's error does not say %q:\n%s", want, p.Output())
		}
	}
}
