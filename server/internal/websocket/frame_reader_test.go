package websocket

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/gobwas/ws"
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

	{"the top bit of a length", false,
		[]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1002},
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
			r := (&FrameConn{reader: bufio.NewReader(bytes.NewReader(f.bytes))}).Frames(0)
			if f.within {
				r.message = ws.OpText
			}
			_, err := r.Next()
			switch {
			case f.code == 0 && err != nil:
				t.Errorf("refused: %v", err)
			case f.code != 0 && err == nil:
				t.Error("taken")
			case f.code != 0 && CloseCode(err) != f.code:
				t.Errorf("the code is %d, want %d (%v)", CloseCode(err), f.code, err)
			}
		})
	}
}

// masked returns a frame of a client.
func masked(op ws.OpCode, final bool, payload string) []byte {
	b := bytes.Buffer{}
	frame := ws.MaskFrameWith(ws.NewFrame(op, final, []byte(payload)), [4]byte{1, 2, 3, 4})
	if err := ws.WriteFrame(&b, frame); err != nil {
		panic(err) // of a buffer
	}
	return b.Bytes()
}

// readMessage reads a message in pieces of so many bytes.
func readMessage(r *FrameReader, step int) (text []byte, err error) {
	for {
		frame, err := r.Next()
		if err != nil {
			return text, err
		}
		for r.Left() > 0 {
			piece := make([]byte, step)
			n, err := r.Read(piece)
			if text = append(text, piece[:n]...); err != nil {
				return text, err
			}
		}
		if frame.Fin {
			return text, nil
		}
	}
}

func TestAMessageIsTheSameInWhateverPiecesItIsRead(t *testing.T) {
	parts := slices.Concat(masked(ws.OpText, false, "grüß"), masked(ws.OpContinuation, false, ""),
		masked(ws.OpContinuation, true, " Gott €"), masked(ws.OpBinary, true, "\xff"))
	for step := 1; step < 20; step++ {
		r := (&FrameConn{reader: bufio.NewReader(bytes.NewReader(parts))}).Frames(100)
		for _, want := range []string{"grüß Gott €", "\xff"} {
			if got, err := readMessage(&r, step); err != nil || string(got) != want {
				t.Errorf("in pieces of %d: %q, %v", step, got, err)
			}
		}
	}
}

func TestAMessageThatBreaksARuleEndsWithItsCode(t *testing.T) {
	continued := func(op ws.OpCode, first, last string) []byte {
		return slices.Concat(masked(op, false, first), masked(ws.OpContinuation, true, last))
	}
	for name, c := range map[string]struct {
		frames []byte
		code   ws.StatusCode
	}{
		"half a rune at the end":            {masked(ws.OpText, true, "a\xe2\x82"), 1007},
		"half a rune, and an empty end":     {continued(ws.OpText, "a\xe2\x82", ""), 1007},
		"no UTF-8 at all":                   {masked(ws.OpText, false, "\xff"), 1007},
		"too many bytes":                    {masked(ws.OpBinary, true, "12345678901"), 1009},
		"too many bytes, in two frames":     {continued(ws.OpBinary, "123456789", "01"), 1009},
		"a second message within the first": {slices.Repeat(masked(ws.OpBinary, false, "1"), 2), 1002},
	} {
		r := (&FrameConn{reader: bufio.NewReader(bytes.NewReader(c.frames))}).Frames(10)
		if _, err := readMessage(&r, 3); err == nil || CloseCode(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDiscardStopsBehindTheClose(t *testing.T) {
	stream := slices.Concat(masked(ws.OpText, true, "rest"), masked(ws.OpPing, true, "?"),
		masked(ws.OpClose, true, "\x03\xe8"), []byte("behind"))
	c := &FrameConn{reader: bufio.NewReader(bytes.NewReader(stream))}
	r := c.Frames(0)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.Discard()
	if rest, _ := io.ReadAll(c.reader); string(rest) != "behind" {
		t.Errorf("%q is left", rest)
	}
}
