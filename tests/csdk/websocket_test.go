package csdk_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestWebSocketEcho(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	w := start(t, s, "examples/websocket_echo.c", "")
	first, second := s.MustOpenWebSocket(t, "/", nil), s.MustOpenWebSocket(t, "/", nil)
	for _, n := range []int{0, 1, 125, 65536, 65537, 3 << 20} {
		first.Say(ws.OpText, true, bytes.Repeat([]byte("t"), n))
		second.Say(ws.OpBinary, true, bytes.Repeat([]byte("\xff"), n))
		first.Want(ws.OpText, strings.Repeat("t", n))
		second.Want(ws.OpBinary, strings.Repeat("\xff", n))
	}
	first.Say(ws.OpText, false, []byte("one "))
	if f := first.Hear(); f.Header.Fin || string(f.Payload) != "one " {
		t.Errorf("a part came back as %+v with %q", f.Header, f.Payload)
	}
	second.Leave() // which is nothing to the other
	first.Say(ws.OpContinuation, true, nil)
	if f := first.Hear(); !f.Header.Fin || f.Header.OpCode != ws.OpContinuation || len(f.Payload) > 0 {
		t.Errorf("the end of a message came back as %+v with %q", f.Header, f.Payload)
	}
	first.Close(4321, "enough")
	first.WantClose(4321)
	if got := string(harness.ReadAll(t, post(t, s, "/", nil).Body)); !strings.Contains(got, "WebSocket") {
		t.Errorf("a plain request was told %q", got)
	}
	last := s.MustOpenWebSocket(t, "/", nil)
	w.Signal(syscall.SIGTERM)
	last.WantClose(1001)
	last.Close(1001, "")
	if status := w.Wait(); status != 0 {
		t.Errorf("exit status %d, output %q", status, w.Output())
	}
}
