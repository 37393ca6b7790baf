package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// wire carries the frames of a WebSocket, to and from the client: a connection that
// was taken over from HTTP/1.1, or a stream of HTTP/2 or 3.
type wire struct {
	reader *bufio.Reader
	writer io.Writer
	flush  func() error
	conn   net.Conn // nil: a stream
}

// writeFrame writes one frame.
func (w *wire) writeFrame(op ws.OpCode, final bool, payload []byte) error {
	if err := ws.WriteHeader(w.writer, ws.Header{Fin: final, OpCode: op, Length: int64(len(payload))}); err != nil {
		return err
	}
	_, err := w.writer.Write(payload)
	return err
}

// close ends a connection. What the client still sends is read and thrown away for a
// moment: if it were not, the last frame could be lost on its way. A stream ends with
// its handler.
func (w *wire) close(controller *http.ResponseController) {
	if w.conn == nil {
		return
	}
	_ = conn.CloseWrite(w.conn)
	_ = controller.SetReadDeadline(time.Now().Add(leftoverTime))
	_, _ = io.CopyN(io.Discard, w.reader, leftoverBytes)
	_ = w.conn.Close()
}
