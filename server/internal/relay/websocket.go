package relay

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// websocketResponse is the worker's half of an open WebSocket: it sends the worker's messages
// to the client. It owns the connection and the client's half.
type websocketResponse struct {
	conn   websocketConn
	upload websocketUpload

	part   shm.Kind                // kind of the message that is being sent; 0: none
	text   websocket.UTF8Validator // of it
	copied []byte                  // text that is checked and then sent
	closed bool                    // the worker's Close is sent
	sent   int64                   // bytes of messages
}

// closeTime is how long after a Close of the one side that of the other may take.
const closeTime = 5 * time.Second

const shutdownReason = "server shuts down"

// openWebSocket returns a WebSocket whose upload runs. Release: finish, and Close of the
// frames.
func openWebSocket(
	s *dispatch.Stream, controller *http.ResponseController, frames *websocket.FrameConn, c *Config,
) *websocketResponse {
	r := &websocketResponse{}
	r.conn = websocketConn{
		stream: s, progress: s.Progress(), controller: controller, frames: frames, every: c.PingInterval,
	}
	r.upload = websocketUpload{
		stream: s, progress: s.Progress(), conn: &r.conn, frames: frames.Frames(c.MessageLimit),
		done: make(chan struct{}),
	}
	r.upload.lane.Open(s)
	r.upload.lane.AnnounceInBatches()
	r.conn.pinger = time.AfterFunc(r.conn.every, r.conn.ping)
	go r.upload.run()
	return r
}

// send sends what a slot of the worker carries. It reports done = true at the end.
func (r *websocketResponse) send(slot shm.Slot) (done bool, err error) {
	failure := r.conn.progress.UploadFailure()
	switch {
	case failure != nil: // the worker gives up, or ends in spite of it
		return false, failure
	case slot.Kind == shm.KindEnd && (r.part == 0 || r.conn.clientClosed()):
		return true, nil
	case slot.Kind.Message() && !r.closed:
		return false, r.sendPart(slot)
	case slot.Kind == shm.KindClose && !r.closed && r.part == 0:
		return false, r.sendClose(slot.Bytes)
	}
	return false, fmt.Errorf("%w: a %v slot out of turn in a WebSocket", fault.ErrWorkerInvalid, slot.Kind)
}

// sendPart makes a frame of a slot.
func (r *websocketResponse) sendPart(slot shm.Slot) error {
	op := ws.OpContinuation
	if r.part == 0 {
		r.part, r.text, op = slot.Kind, websocket.UTF8Validator{}, opOf(slot.Kind)
	}
	payload := slot.Bytes
	if r.part == shm.KindText { // checked, and so copied first
		r.copied = append(r.copied[:0], payload...)
		payload = r.copied
	}
	switch {
	case slot.Kind != r.part:
		return fmt.Errorf("%w: a %v slot within a %v message", fault.ErrWorkerInvalid, slot.Kind, r.part)
	case r.part == shm.KindText && (!r.text.Add(payload) || slot.Final && !r.text.Whole()):
		return fmt.Errorf("%w: text that is not UTF-8", fault.ErrWorkerInvalid)
	}
	if slot.Final {
		r.part = 0
	}
	r.sent += int64(len(payload))
	return r.conn.write(op, slot.Final, payload, false)
}

// sendClose sends the worker's Close.
func (r *websocketResponse) sendClose(b []byte) error {
	payload := append([]byte(nil), b...)
	if len(payload) > ws.MaxControlFramePayloadSize || websocket.CheckClose(payload) != nil {
		return fmt.Errorf("%w: a close slot that is none", fault.ErrWorkerInvalid)
	}
	r.closed = true
	return r.conn.control(ws.OpClose, payload)
}

// finish ends the WebSocket when the exchange is over: err is nil, or why it failed. It
// sends our Close, unless that of the worker is out, and waits a while for the client's. The
// caller closes the frames.
func (r *websocketResponse) finish(err error) {
	if err != nil {
		r.conn.stream.Cancel(err)
	}
	r.conn.pinger.Stop()
	if !r.closed {
		_ = r.conn.control(ws.OpClose, r.conn.closePayload(err))
	}
	r.conn.shut()
	r.awaitClose()
}

// awaitClose waits until the upload has seen the client's Close.
func (r *websocketResponse) awaitClose() {
	r.upload.lane.Stop()
	p := r.conn.progress
	p.StartRead() // the client keeps the row waiting
	defer p.EndRead()
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-r.upload.done:
	case <-timer.C:
		p.InterruptRead()
		<-r.upload.done
	}
}

func opOf(kind shm.Kind) ws.OpCode {
	if kind == shm.KindText {
		return ws.OpText
	}
	return ws.OpBinary
}
