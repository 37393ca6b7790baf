package relay

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
)

// websocketConn is what both halves of an open WebSocket share: each of them may send control
// frames, and they tell each other who has closed.
type websocketConn struct {
	stream     *dispatch.Stream
	progress   *progress.Exchange // of the stream
	controller *http.ResponseController
	frames     *websocket.FrameConn

	heard   atomic.Bool // the client has sent something since the last ping
	leaving atomic.Bool // the server shuts down

	mu      sync.Mutex // guards the rest, and the writer of frames: one frame at a time
	ended   bool       // nothing may be sent any more
	pinger  *time.Timer
	every   time.Duration // between pings
	pinged  bool          // and nothing has come since
	closer  *time.Timer   // the worker's time after the client's Close
	payload []byte        // of the client's Close
	closed  bool          // the client's Close has come
}

// control sends a control frame at once.
func (c *websocketConn) control(op ws.OpCode, payload []byte) error {
	return c.write(op, true, payload, true)
}

// write writes a frame; after a flush everything that was written is on its way.
func (c *websocketConn) write(op ws.OpCode, final bool, payload []byte, flush bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	c.progress.StartWrite()
	defer c.progress.EndWrite()
	err := c.frames.WriteFrame(op, final, payload)
	if !op.IsControl() {
		c.progress.Sent(len(payload))
	}
	if err == nil && flush {
		err = c.frames.Flush()
	}
	return clientError(c.progress, err)
}

// flush sends what has been written.
func (c *websocketConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress.StartWrite()
	defer c.progress.EndWrite()
	return clientError(c.progress, c.frames.Flush())
}

// ping asks a silent client whether it is there, and gives up one that did not answer. A
// client that is held back cannot be heard.
func (c *websocketConn) ping() {
	if c.checkHeard() {
		_ = c.control(ws.OpPing, nil) // if it fails, reading does
	}
}

// checkHeard reports whether a ping is due.
func (c *websocketConn) checkHeard() (due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	silent := !c.heard.Swap(false) && !c.progress.UploadBlocked()
	if silent && c.pinged {
		c.progress.Abort() // the upload's read fails
		return false
	}
	c.pinged = silent
	c.pinger.Reset(c.every)
	return silent
}

// leave has the upload end as if the client had closed: the server shuts down.
func (c *websocketConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.leaving.Store(true)
		c.progress.InterruptRead()
	}
}

// resume undoes the interruption of a leave.
func (c *websocketConn) resume() {
	if c.leaving.Load() {
		_ = c.controller.SetReadDeadline(time.Time{})
	}
}

// clientCloses notes the client's Close. The worker has some time for its last messages.
func (c *websocketConn) clientCloses(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.payload, c.closed = payload, true
	c.closer = time.AfterFunc(closeTime, c.stopWaiting)
}

// stopWaiting ends the worker's time after the client's Close.
func (c *websocketConn) stopWaiting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended { // else the stream may be another exchange's
		c.stream.StopWaiting()
	}
}

// clientClosed reports whether the client waits for nothing but our Close.
func (c *websocketConn) clientClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// closePayload returns the payload of the Close that the worker has not sent. A Close of the
// client is answered (RFC 6455 section 5.5.1), whatever has become of the worker since.
func (c *websocketConn) closePayload(err error) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch leaving := c.leaving.Load(); {
	case c.closed && !leaving:
		return websocket.EchoClose(c.payload)
	case err != nil:
		return websocket.ClosePayload(websocket.CloseCode(err), fault.Of(err).Reason())
	case leaving:
		return websocket.ClosePayload(ws.StatusGoingAway, shutdownReason)
	}
	return websocket.ClosePayload(ws.StatusNormalClosure, "")
}

// shut ends the sending: the stream may soon be another exchange's.
func (c *websocketConn) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true // the pinger may be under way
	if c.closer != nil {
		c.closer.Stop()
	}
}
