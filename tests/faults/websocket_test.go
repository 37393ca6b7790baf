package faults_test

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// badMessages are what a worker sends on an open WebSocket and no client may see.
// They break no rule of the memory.
var badMessages = map[string]func(t *turn){
	"a body":                 func(t *turn) { t.put(shm.KindBody, []byte("x")) },
	"trailers":               func(t *turn) { t.put(shm.KindTrailers, []byte("\x00")) },
	"text that is not UTF-8": func(t *turn) { t.put(shm.KindText|shm.Final, []byte("\xff")) },
	"text cut in a rune":     func(t *turn) { t.put(shm.KindText|shm.Final, []byte("\xc3")) },
	"one kind within another": func(t *turn) {
		t.put(shm.KindText, []byte("x"))
		t.put(shm.KindBinary|shm.Final, []byte("y"))
	},
	"an end within a message": func(t *turn) { t.put(shm.KindText, []byte("x")) },
	"a close within a message": func(t *turn) {
		t.put(shm.KindText, []byte("x"))
		t.put(shm.KindClose, []byte{3, 232})
	},
	"half a code":               func(t *turn) { t.put(shm.KindClose, []byte{3}) },
	"a code that is never sent": func(t *turn) { t.put(shm.KindClose, []byte{3, 237}) },
	"a close that is too long":  func(t *turn) { t.put(shm.KindClose, append([]byte{3, 232}, make([]byte, 124)...)) },
}

func init() {
	for name, messages := range badMessages {
		scripts[slug("ws "+name)] = func(t *turn) {
			t.head(101)
			messages(t)
			t.finish()
		}
	}
	scripts["ws-message-after-a-close"] = func(t *turn) {
		t.head(101)
		t.put(shm.KindClose, []byte{15, 160})
		t.put(shm.KindText|shm.Final, []byte("x"))
		t.finish()
	}
	scripts["message-without-a-websocket"] = func(t *turn) {
		t.put(shm.KindHeaders, t.frame(200))
		t.put(shm.KindText|shm.Final, []byte("x"))
		t.finish()
	}
}

// openWebSocket sends a handshake and reads the answer to it.
func openWebSocket(w *rawclient.HTTP1, target string) {
	w.T.Helper()
	w.Begin("GET", target, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	r, err := w.ReplyHead()
	harness.Check(w.T, err)
	if r.Status != 101 {
		w.T.Fatalf("status %d", r.Status)
	}
}

// wantClose reads frames until a Close, and returns how many came before it.
func wantClose(w *rawclient.HTTP1, code uint16) (before int) {
	w.T.Helper()
	for ; ; before++ {
		f, err := ws.ReadFrame(w.In) //nolint:staticcheck // the server under test decides how long frames are
		harness.Check(w.T, err)
		if f.Header.OpCode != ws.OpClose {
			continue
		}
		if len(f.Payload) < 2 || binary.BigEndian.Uint16(f.Payload) != code {
			w.T.Fatalf("closed with %q, want %d", f.Payload, code)
		}
		return before
	}
}

func TestWhatIsNoMessageIsNeverSent(t *testing.T) {
	h := startHostile(t, nil)
	for name := range badMessages {
		client := rawclient.Dial(t, h.Server.Addr)
		openWebSocket(client, "/bad/"+slug("ws "+name))
		wantClose(client, 1014)
		_ = client.Conn.Close()
	}
	h.wantScribblerGood(t)
	h.wantEvicted(t, 0, 0)
}

func TestNothingFollowsTheCloseOfAWorker(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	openWebSocket(client, "/bad/ws-message-after-a-close")
	wantClose(client, 4000)
	harness.Check(t, client.Conn.SetDeadline(time.Now().Add(2*harness.Patience)))
	rest, err := io.ReadAll(client.In)
	if err != nil || len(rest) > 0 {
		t.Errorf("%q followed (%v)", rest, err)
	}
}

func TestAMessageWithoutAWebSocketBreaksTheResponseOff(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("GET", "/bad/message-without-a-websocket")
	client.WantBrokenReply("GET", 200)
}

func TestAWorkerThatStopsBeforeItAcceptsIsA504(t *testing.T) {
	h := startHostile(t, func(c *server.Config) {
		c.ResponseTimeout, c.StuckAfter = 500*time.Millisecond, server.Never // else it waits for another worker
	})
	h.scribbler.Stop()
	defer h.scribbler.Continue()
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("GET", "/bad/good", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	client.WantReply("GET", 504)
}
