package server

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// websocket is an open WebSocket. Its responder sends the worker's messages, its pump
// receives the client's, and each of them may send control frames.
type websocket struct {
	stream     *dispatch.Stream
	progress   *progress.Exchange // of the stream
	controller *http.ResponseController
	wire       *wsock.FrameConn
	pump       messagePump

	heard   atomic.Bool // the client has sent something since the last ping
	leaving atomic.Bool // the server shuts down

	mu     sync.Mutex // guards the wire's writer: one frame at a time
	shut   bool       // nothing may be sent any more
	pinger *time.Timer
	every  time.Duration // between pings
	pinged bool          // and nothing has come since
	closer *time.Timer   // the worker's time after the client's Close
	theirs []byte        // payload of the client's Close
	closed bool          // it has come

	// The responder's.
	part   shm.Kind            // kind of the message of which not all is sent; 0: none
	text   wsock.UTF8Validator // of it
	copied []byte              // text that is checked and then sent
	ours   bool                // the worker has closed
}

// closeTime is how long after a Close of the one side that of the other may take.
const closeTime = 5 * time.Second

const shutdownReason = "server shuts down"

// newWebsocket returns a socket whose pump is to be started. Release: finish.
func newWebsocket(s *dispatch.Stream, controller *http.ResponseController, w *wsock.FrameConn, c *Config) *websocket {
	o := &websocket{stream: s, progress: s.Progress(), controller: controller, wire: w, every: c.PingInterval}
	o.pump = messagePump{
		stream: s, progress: o.progress, websocket: o, frames: w.Frames(c.MessageLimit), done: make(chan struct{}),
	}
	o.pump.lane.Open(s)
	o.pump.lane.AnnounceInBatches()
	o.pinger = time.AfterFunc(o.every, o.ping)
	return o
}

// send sends what a slot of the worker carries. It reports done = true for the end.
func (o *websocket) send(slot shm.Slot) (done bool, err error) {
	failure := o.progress.UploadFailure()
	switch {
	case failure != nil: // the worker gives up, or ends in spite of it
		return false, failure
	case slot.Kind == shm.KindEnd && (o.part == 0 || o.clientClosed()):
		return true, nil
	case slot.Kind.Message() && !o.ours:
		return false, o.sendPart(slot)
	case slot.Kind == shm.KindClose && !o.ours && o.part == 0:
		return false, o.sendClose(slot.Bytes)
	}
	return false, fmt.Errorf("%w: a %v slot out of turn in a WebSocket", ErrWorkerInvalid, slot.Kind)
}

// sendPart makes a frame of a slot.
func (o *websocket) sendPart(slot shm.Slot) error {
	op := ws.OpContinuation
	if o.part == 0 {
		o.part, o.text, op = slot.Kind, wsock.UTF8Validator{}, opOf(slot.Kind)
	}
	payload := slot.Bytes
	if o.part == shm.KindText { // checked, and so copied first
		o.copied = append(o.copied[:0], payload...)
		payload = o.copied
	}
	switch {
	case slot.Kind != o.part:
		return fmt.Errorf("%w: a %v slot within a %v message", ErrWorkerInvalid, slot.Kind, o.part)
	case o.part == shm.KindText && (!o.text.Add(payload) || slot.Final && !o.text.Whole()):
		return fmt.Errorf("%w: text that is not UTF-8", ErrWorkerInvalid)
	}
	if slot.Final {
		o.part = 0
	}
	return o.write(op, slot.Final, payload, false)
}

// sendClose sends the worker's Close.
func (o *websocket) sendClose(b []byte) error {
	payload := append([]byte(nil), b...)
	if len(payload) > ws.MaxControlFramePayloadSize || wsock.CheckClose(payload) != nil {
		return fmt.Errorf("%w: a close slot that is none", ErrWorkerInvalid)
	}
	o.ours = true
	return o.write(ws.OpClose, true, payload, true)
}

// control sends a control frame at once.
func (o *websocket) control(op ws.OpCode, payload []byte) error {
	return o.write(op, true, payload, true)
}

// write sends a frame; after a flush all that was written is on its way.
func (o *websocket) write(op ws.OpCode, final bool, payload []byte, flush bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return nil
	}
	o.progress.StartWrite()
	defer o.progress.EndWrite()
	err := o.wire.WriteFrame(op, final, payload)
	if err == nil && flush {
		err = o.wire.Flush()
	}
	return clientError(o.progress, err)
}

// flush sends what has been written.
func (o *websocket) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress.StartWrite()
	defer o.progress.EndWrite()
	return clientError(o.progress, o.wire.Flush())
}

// ping asks a silent client whether it is there, and gives up one that did not
// answer. A client that is held back cannot be heard.
func (o *websocket) ping() {
	if o.checkHeard() {
		_ = o.control(ws.OpPing, nil) // if it fails, reading does
	}
}

// checkHeard reports whether a ping is due.
func (o *websocket) checkHeard() (due bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return false
	}
	quiet := !o.heard.Swap(false) && !o.progress.UploadBlocked()
	if quiet && o.pinged {
		o.progress.Abort() // the pump's read fails
		return false
	}
	o.pinged = quiet
	o.pinger.Reset(o.every)
	return quiet
}

// leave has the pump close as if the client had: the server shuts down.
func (o *websocket) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shut {
		o.leaving.Store(true)
		o.progress.InterruptRead()
	}
}

// resume undoes the interruption of a leave.
func (o *websocket) resume() {
	if o.leaving.Load() {
		_ = o.controller.SetReadDeadline(time.Time{})
	}
}

// clientCloses notes the client's Close. The worker has some time to say what it has
// still to say.
func (o *websocket) clientCloses(payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.theirs, o.closed = payload, true
	o.closer = time.AfterFunc(closeTime, o.stopWaiting)
}

// stopWaiting ends the worker's time after the client's Close.
func (o *websocket) stopWaiting() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shut { // else the stream may be another exchange's
		o.stream.StopWaiting()
	}
}

// clientClosed reports whether the client waits for nothing but our Close.
func (o *websocket) clientClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// finish ends the WebSocket when its exchange is over: err is nil, or why it failed.
// It sends our Close, unless it is out, and waits a while for the client's. The wire is
// still to be closed.
func (o *websocket) finish(err error) {
	if err != nil {
		o.stream.Cancel(err)
	}
	o.pinger.Stop()
	if !o.ours {
		_ = o.control(ws.OpClose, o.lastWords(err))
	}
	o.mu.Lock()
	o.shut = true // the pinger may be under way
	if o.closer != nil {
		o.closer.Stop()
	}
	o.mu.Unlock()
	o.awaitClose()
}

// lastWords returns the payload of the Close that the worker has not sent.
func (o *websocket) lastWords(err error) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil:
		return wsock.ClosePayload(wsock.CloseCode(err), fault.Of(err).Reason())
	case o.leaving.Load():
		return wsock.ClosePayload(ws.StatusGoingAway, shutdownReason)
	case o.closed:
		return wsock.EchoClose(o.theirs)
	}
	return wsock.ClosePayload(ws.StatusNormalClosure, "")
}

// awaitClose waits until the pump has seen the client's Close.
func (o *websocket) awaitClose() {
	o.pump.lane.Stop()
	o.progress.StartRead() // the client keeps the row waiting
	defer o.progress.EndRead()
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-o.pump.done:
	case <-timer.C:
		o.progress.InterruptRead()
		<-o.pump.done
	}
}

func opOf(kind shm.Kind) ws.OpCode {
	if kind == shm.KindText {
		return ws.OpText
	}
	return ws.OpBinary
}
