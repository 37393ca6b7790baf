package faults_test

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// jammerRole attaches, does what it can to make a write to its own bell block, and
// asks the server to ring it.
func jammerRole() {
	a, err := handworker.Attach(os.Getenv(harness.SocketVariable), "slots", attach.BellEventfd, 1)
	must(err)
	must(unix.SetNonblock(int(a.Own.Fd()), false))
	full := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} // an eventfd can count no further
	_, err = unix.Write(int(a.Own.Fd()), full)
	fmt.Printf("<filled: %v>\n", err)
	words := handworker.Map(a.Response, unix.PROT_READ|unix.PROT_WRITE)
	handworker.Word64(words, offset("link", "asleep")).Store(1<<8 | uint64(shm.AsleepStream))
	fmt.Println("<jammed>")
	select {} // until it is killed
}

func TestAWorkerCannotMakeTheServersRingBlock(t *testing.T) {
	socket := socketPath(t)
	_, s := startServer(t, socket, "GOGC=1") // a thread that hangs stops the next garbage collection, and so everything
	jammer := harness.StartProcess(t, "jammer", harness.SocketVariable+"="+socket)
	awaitSaid(t, jammer, "jammed", 1)
	harness.StartProcess(t, "handler", harness.SocketVariable+"="+socket)

	rung := rawclient.Dial(t, s.Addr)
	rung.Begin("POST", "/slots/now", "Content-Length: 0")
	other := rawclient.Dial(t, s.Addr)
	for range 200 {
		other.Begin("GET", "/echo")
		other.WantReply("GET", 200)
	}
}
