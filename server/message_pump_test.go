package server

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// frames are first frames of a client, and the code with which it is told what is wrong
// with them; 0: nothing. Those with "within" come in the middle of a message.
var frames = []struct {
	name   string
	within bool
	bytes  []byte
	code   ws.StatusCode
}{
	{"text", false, []byte{0x81, 0x80, 0, 0, 0, 0}, 0},
	{"126 bytes", false, []byte{0x82, 0xfe, 0, 126, 0, 0, 0, 0}, 0},
	{"65535 bytes", false, []byte{0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0}, 0},
	{"65536 bytes", false, []byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 0},
	{"a continuation", true, []byte{0x80, 0x80, 0, 0, 0, 0}, 0},
	{"a ping", true, []byte{0x89, 0x80, 0, 0, 0, 0}, 0},

	{"the top bit of a length", false, []byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1002},
	{"only the top bit of a length", false, []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 1002},
	{"125 bytes, in 2 bytes", false, []byte{0x82, 0xfe, 0, 125, 0, 0, 0, 0}, 1002},
	{"no bytes, in 2 bytes", false, []byte{0x82, 0xfe, 0, 0, 0, 0, 0, 0}, 1002},
	{"65535 bytes, in 8 bytes", false, []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, 1002},
	{"a ping of 5 bytes, in 2 bytes", false, []byte{0x89, 0xfe, 0, 5, 0, 0, 0, 0}, 1002},
	{"RSV1", false, []byte{0xc1, 0x80, 0, 0, 0, 0}, 1002},
	{"RSV2", false, []byte{0xa1, 0x80, 0, 0, 0, 0}, 1002},
	{"RSV3 of a ping", false, []byte{0x99, 0x80, 0, 0, 0, 0}, 1002},
	{"no mask", false, []byte{0x81, 0x00}, 1002},
	{"a Close without a mask", false, []byte{0x88, 0x00}, 1002},
	{"reserved opcode 3", false, []byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
	{"reserved opcode 15", false, []byte{0x8f, 0x80, 0, 0, 0, 0}, 1002},
	{"a ping that is too long", false, []byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 1002},
	{"a Close that is too long", false, []byte{0x88, 0xfe, 1, 0, 0, 0, 0, 0}, 1002},
	{"a part of a ping", false, []byte{0x09, 0x80, 0, 0, 0, 0}, 1002},
	{"a part of a Close", true, []byte{0x08, 0x80, 0, 0, 0, 0}, 1002},
	{"a continuation of nothing", false, []byte{0x80, 0x80, 0, 0, 0, 0}, 1002},
	{"a text within a message", true, []byte{0x81, 0x80, 0, 0, 0, 0}, 1002},
	{"a binary part within a message", true, []byte{0x02, 0x80, 0, 0, 0, 0}, 1002},
	{"an end within a header", false, []byte{0x82, 0xfe, 0}, 1011},
}

func TestEveryFrameThatBreaksARuleHasItsCode(t *testing.T) {
	for _, f := range frames {
		t.Run(f.name, func(t *testing.T) {
			p := &messagePump{progress: &progress.Exchange{}, websocket: &websocket{}, reader: bufio.NewReader(bytes.NewReader(f.bytes))}
			if f.within {
				p.kind = shm.KindText
			}
			_, err := p.next()
			switch {
			case f.code == 0 && err != nil:
				t.Errorf("refused: %v", err)
			case f.code != 0 && err == nil:
				t.Error("taken")
			case f.code != 0 && closeCodeOf(err) != f.code:
				t.Errorf("the code is %d, want %d (%v)", closeCodeOf(err), f.code, err)
			}
		})
	}
}
