package websocket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/gobwas/ws"
)

// FrameReader reads the frames of a client: headers, and payloads that it unmasks in the
// memory of the caller. What breaks a rule of RFC 6455 is an error that
// [fault.ErrWebSocket] matches and [CloseCode] knows; other errors are those of the
// connection.
type FrameReader struct {
	reader *bufio.Reader
	limit  int64 // bytes of a message; 0: any

	message ws.OpCode // that of the message which is being received; 0: none
	size    int64     // bytes of it, as its frames have announced them
	text    UTF8Validator

	frame ws.Header // the last one
	left  int64     // bytes of its payload
}

// Buffered returns how many bytes can be read without waiting for the client.
func (r *FrameReader) Buffered() int { return r.reader.Buffered() }

// Left returns how many bytes of the last frame's payload have not been read.
func (r *FrameReader) Left() int64 { return r.left }

// Next reads the header of the next frame. Preconditions: the payload of the last one has
// been read.
func (r *FrameReader) Next() (ws.Header, error) {
	if err := r.readHeader(); err != nil {
		return r.frame, err
	}
	state := ws.StateServerSide
	if r.message != 0 {
		state |= ws.StateFragmented
	}
	if err := ws.CheckHeader(r.frame, state); err != nil {
		return r.frame, brokenRule(ws.StatusProtocolError, err)
	}
	if r.frame.OpCode.IsControl() {
		return r.frame, nil
	}
	return r.frame, r.beginPart()
}

// readHeader reads the header of a frame. RFC 6455 section 5.2 has lengths in as few bytes
// as possible.
func (r *FrameReader) readHeader() error {
	start, err := r.reader.Peek(2)
	if err != nil {
		return err
	}
	short := start[1] & 0x7f
	r.frame, err = ws.ReadHeader(r.reader)
	r.left = r.frame.Length
	switch {
	case errors.Is(err, ws.ErrHeaderLengthMSB), errors.Is(err, ws.ErrHeaderLengthUnexpected):
		return brokenRule(ws.StatusProtocolError, err)
	case err != nil:
		return err
	case short == 126 && r.left < 126, short == 127 && r.left <= math.MaxUint16:
		return brokenRule(ws.StatusProtocolError, fmt.Errorf("a length of %d in more bytes than it takes", r.left))
	}
	return nil
}

// beginPart begins with a message, or with another part of it.
func (r *FrameReader) beginPart() error {
	if r.frame.OpCode != ws.OpContinuation {
		r.message, r.size, r.text = r.frame.OpCode, 0, UTF8Validator{}
	}
	if r.size += r.frame.Length; r.limit > 0 && (r.size > r.limit || r.size < 0) {
		return brokenRule(ws.StatusMessageTooBig, fmt.Errorf("a message of more than %d bytes", r.limit))
	}
	if r.left == 0 {
		return r.endPart()
	}
	return nil
}

// endPart ends the message with its last part.
func (r *FrameReader) endPart() error {
	if !r.frame.Fin {
		return nil
	}
	if r.message == ws.OpText && !r.text.Whole() {
		return errNotUTF8
	}
	r.message = 0
	return nil
}

// Read reads a part of a message's payload, at most to the end of the frame, and unmasks
// it. It checks text with every read: a client learns what is wrong before the rest has
// come. Preconditions: Left is not 0.
func (r *FrameReader) Read(p []byte) (n int, err error) {
	p = p[:min(int64(len(p)), r.left)]
	n, err = r.reader.Read(p)
	ws.Cipher(p[:n], r.frame.Mask, int((r.frame.Length-r.left)%4))
	r.left -= int64(n)
	if r.message == ws.OpText && !r.text.Add(p[:n]) {
		return n, errNotUTF8
	}
	if r.left > 0 {
		return n, err
	}
	return n, r.endPart()
}

// Payload reads the payload of a control frame.
func (r *FrameReader) Payload() ([]byte, error) {
	payload := make([]byte, r.left) // at most 125: the header was checked
	n, err := io.ReadFull(r.reader, payload)
	r.left -= int64(n)
	if err != nil {
		return nil, err
	}
	ws.Cipher(payload, r.frame.Mask, 0)
	return payload, nil
}

// Discard reads up to the client's Close, or until reading fails, and throws away what
// comes.
func (r *FrameReader) Discard() {
	for {
		if _, err := io.CopyN(io.Discard, r.reader, r.left); err != nil || r.frame.OpCode == ws.OpClose {
			return
		}
		if err := r.readHeader(); err != nil {
			return
		}
	}
}
