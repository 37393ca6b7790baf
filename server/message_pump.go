package server

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// messagePump streams the messages of a client into slots: their bytes go from the
// kernel into shared memory, and are unmasked there. It answers pings.
type messagePump struct {
	lane      dispatch.RequestLane
	stream    *dispatch.Stream
	progress  *progress.Exchange // of the stream
	websocket *websocket
	frames    wsock.FrameReader
	kind      shm.Kind      // of the message that is being received
	done      chan struct{} // closed when nothing more is written
}

func (p *messagePump) run() {
	defer close(p.done)
	err := p.copyMessages()
	if err != nil && p.websocket.leaving.Load() {
		err = p.closed(wsock.ClosePayload(ws.StatusGoingAway, shutdownReason))
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
			return p.close()
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
	if p.frames.Buffered() == 0 {
		p.lane.Announce()
	}
	frame, err := p.frames.Next()
	switch {
	case p.lane.Stopped():
		return frame, dispatch.ErrOver
	case err != nil:
		return frame, p.readError(err)
	}
	p.websocket.heard.Store(true)
	return frame, nil
}

// message moves the payload of a frame into slots: one, if it fits.
func (p *messagePump) message(frame ws.Header) error {
	if frame.OpCode != ws.OpContinuation {
		p.kind = kindOf(frame.OpCode)
	}
	for p.frames.Left() > 0 {
		if err := p.part(frame); err != nil {
			return err
		}
	}
	if !frame.Fin || frame.Length > 0 {
		return nil
	}
	if err := p.lane.CommitEmpty(p.kind | shm.Final); err != nil {
		return err
	}
	p.lane.Publish()
	return nil
}

// part moves as much of a payload as fits one slot.
func (p *messagePump) part(frame ws.Header) error {
	n := int(min(p.frames.Left(), int64(p.lane.SlotSize())))
	space, err := p.lane.Reserve(n)
	if err != nil {
		return err
	}
	if err := p.fill(space[:n]); err != nil {
		return err
	}
	kind := p.kind
	if frame.Fin && p.frames.Left() == 0 {
		kind |= shm.Final
	}
	p.lane.Commit(n, kind)
	p.lane.Publish()
	return nil
}

// fill reads a part of a message.
func (p *messagePump) fill(space []byte) error {
	for at := 0; at < len(space); {
		if p.frames.Buffered() == 0 {
			p.lane.Announce()
		}
		n, err := p.frames.Read(space[at:])
		if at += n; err != nil && (at < len(space) || errors.Is(err, ErrWebSocket)) {
			return p.readError(err)
		}
		p.websocket.heard.Store(true)
	}
	return nil
}

// answer answers a ping (RFC 6455 section 5.5.2).
func (p *messagePump) answer(frame ws.Header) error {
	payload, err := p.frames.Payload()
	if err != nil {
		return p.readError(err)
	}
	if frame.OpCode != ws.OpPing {
		return nil
	}
	return p.websocket.control(ws.OpPong, payload)
}

// close takes the client's Close.
func (p *messagePump) close() error {
	payload, err := p.frames.Payload()
	if err != nil {
		return p.readError(err)
	}
	if err := wsock.CheckClose(payload); err != nil {
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
	p.frames.Discard()
}

// readError says what it means that the next frame, or the rest of one, could not be read.
func (p *messagePump) readError(err error) error {
	switch {
	case errors.Is(err, ErrWebSocket):
		return err
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
