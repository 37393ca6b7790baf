package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// messagePump streams the messages of a client into slots: their bytes go from the
// kernel into shared memory, and are unmasked there. It answers pings.
type messagePump struct {
	lane      dispatch.RequestLane
	stream    *dispatch.Stream
	progress  *progress.Exchange // of the stream
	websocket *websocket
	reader    *bufio.Reader
	limit     int64         // bytes of a message; 0: any
	done      chan struct{} // closed when nothing more is written

	// The message that is being received.
	kind shm.Kind // 0: none
	size int64
	text utf8Check

	// The frame that is being read.
	op   ws.OpCode
	left int64 // bytes of its payload
}

func (p *messagePump) run() {
	defer close(p.done)
	err := p.copyMessages()
	if err != nil && p.websocket.leaving.Load() {
		err = p.closed(closePayload(ws.StatusGoingAway, shutdownReason))
	}
	if err == nil || errors.Is(err, dispatch.ErrOver) {
		p.discard()
		return
	}
	p.stream.FailUpload(err)
}

// copyMessages moves messages into slots until the client closes.
func (p *messagePump) copyMessages() error {
	for {
		frame, err := p.next()
		switch {
		case err != nil:
			return err
		case frame.OpCode == ws.OpClose:
			return p.close(frame)
		case frame.OpCode.IsControl():
			err = p.answer(frame)
		default:
			err = p.message(frame)
		}
		if err != nil {
			return err
		}
	}
}

// next reads the header of the next frame.
func (p *messagePump) next() (ws.Header, error) {
	if p.reader.Buffered() == 0 {
		p.lane.Announce()
	}
	frame, err := p.readHeader()
	switch {
	case p.lane.Stopped():
		return frame, dispatch.ErrOver
	case errors.Is(err, ErrWebSocket):
		return frame, err
	case err != nil:
		return frame, p.readError(err)
	}
	p.websocket.heard.Store(true)
	state := ws.StateServerSide
	if p.kind != 0 {
		state |= ws.StateFragmented
	}
	if err := ws.CheckHeader(frame, state); err != nil {
		return frame, brokenRule(ws.StatusProtocolError, err)
	}
	return frame, nil
}

// readHeader reads the header of a frame. Its length has to be what RFC 6455 section
// 5.2 calls one, in as few bytes as there can be.
func (p *messagePump) readHeader() (ws.Header, error) {
	start, err := p.reader.Peek(2)
	if err != nil {
		return ws.Header{}, err
	}
	short := start[1] & 0x7f
	frame, err := ws.ReadHeader(p.reader)
	p.op, p.left = frame.OpCode, frame.Length
	switch {
	case errors.Is(err, ws.ErrHeaderLengthMSB), errors.Is(err, ws.ErrHeaderLengthUnexpected):
		return frame, brokenRule(ws.StatusProtocolError, err)
	case err != nil:
		return frame, err
	case short == 126 && frame.Length < 126, short == 127 && frame.Length <= math.MaxUint16:
		return frame, brokenRule(ws.StatusProtocolError, fmt.Errorf("a length of %d in more bytes than it takes", frame.Length))
	}
	return frame, nil
}

// message moves the payload of a frame into slots: one, if it fits.
func (p *messagePump) message(frame ws.Header) error {
	if frame.OpCode != ws.OpContinuation {
		p.kind, p.size, p.text = kindOf(frame.OpCode), 0, utf8Check{}
	}
	if p.size += frame.Length; p.limit > 0 && (p.size > p.limit || p.size < 0) {
		return brokenRule(ws.StatusMessageTooBig, fmt.Errorf("a message of more than %d bytes", p.limit))
	}
	for p.left > 0 {
		if err := p.part(frame); err != nil {
			return err
		}
	}
	if !frame.Fin {
		return nil
	}
	if p.kind == shm.KindText && !p.text.whole() {
		return errNotUTF8
	}
	if frame.Length == 0 {
		if err := p.lane.CommitEmpty(p.kind | shm.Final); err != nil {
			return err
		}
		p.lane.Publish()
	}
	p.kind = 0
	return nil
}

// part moves as much of a payload as fits one slot.
func (p *messagePump) part(frame ws.Header) error {
	n := int(min(p.left, int64(p.lane.SlotSize())))
	space, err := p.lane.Reserve(n)
	if err != nil {
		return err
	}
	if err := p.fill(space[:n], frame.Mask, int((frame.Length-p.left)%4)); err != nil {
		return err
	}
	kind := p.kind
	if frame.Fin && p.left == 0 {
		if kind |= shm.Final; p.kind == shm.KindText && !p.text.whole() {
			return errNotUTF8
		}
	}
	p.lane.Commit(n, kind)
	p.lane.Publish()
	return nil
}

// fill reads and unmasks. Text is checked with every read: what is wrong with it is
// said before the rest has come.
func (p *messagePump) fill(space []byte, mask [4]byte, offset int) error {
	for at := 0; at < len(space); {
		if p.reader.Buffered() == 0 {
			p.lane.Announce()
		}
		n, err := p.reader.Read(space[at:])
		p.left -= int64(n)
		ws.Cipher(space[at:at+n], mask, offset+at)
		if p.kind == shm.KindText && !p.text.add(space[at:at+n]) {
			return errNotUTF8
		}
		if at += n; at < len(space) && err != nil {
			return p.readError(err)
		}
		p.websocket.heard.Store(true)
	}
	return nil
}

// control reads the payload of a control frame.
func (p *messagePump) control(frame ws.Header) ([]byte, error) {
	payload := make([]byte, frame.Length) // at most 125: the header was checked
	n, err := io.ReadFull(p.reader, payload)
	p.left -= int64(n)
	if err != nil {
		return nil, p.readError(err)
	}
	ws.Cipher(payload, frame.Mask, 0)
	return payload, nil
}

// answer answers a ping (RFC 6455 section 5.5.2).
func (p *messagePump) answer(frame ws.Header) error {
	payload, err := p.control(frame)
	if err != nil || frame.OpCode != ws.OpPing {
		return err
	}
	return p.websocket.control(ws.OpPong, payload)
}

// close takes the client's Close.
func (p *messagePump) close(frame ws.Header) error {
	payload, err := p.control(frame)
	if err != nil {
		return err
	}
	if err := checkClose(payload); err != nil {
		return err
	}
	return p.closed(payload)
}

// closed tells the worker that no more messages come.
func (p *messagePump) closed(payload []byte) error {
	p.websocket.clientCloses(payload)
	if len(payload) == 0 {
		if err := p.lane.CommitEmpty(shm.KindClose); err != nil {
			return err
		}
		return p.lane.End()
	}
	space, err := p.lane.Reserve(len(payload))
	if err != nil {
		return err
	}
	p.lane.Commit(copy(space, payload), shm.KindClose)
	return p.lane.End()
}

// discard reads on until the client's Close: the worker wants no more messages.
func (p *messagePump) discard() {
	p.websocket.resume()
	for {
		if _, err := io.CopyN(io.Discard, p.reader, p.left); err != nil || p.op == ws.OpClose {
			return
		}
		if _, err := p.readHeader(); err != nil {
			return
		}
	}
}

func (p *messagePump) readError(err error) error {
	switch {
	case p.lane.Stopped():
		return dispatch.ErrOver
	case p.progress.ClientSlow():
		return fmt.Errorf("%w: it answers no ping", ErrClientSlow)
	}
	return fmt.Errorf("%w without a Close: %w", ErrClientGone, err)
}

func kindOf(op ws.OpCode) shm.Kind {
	if op == ws.OpText {
		return shm.KindText
	}
	return shm.KindBinary
}
