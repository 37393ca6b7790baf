package websocket

import (
	"bufio"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// FrameConn carries the frames of a WebSocket, to and from the client: a connection that
// was taken over from HTTP/1.1, or a stream of HTTP/2 or 3.
type FrameConn struct {
	reader *bufio.Reader
	writer io.Writer
	flush  func() error
	conn   net.Conn // nil: a stream
}

// Frames returns a reader of the client's frames, which takes messages of at most so many
// bytes; 0 is no limit.
func (c *FrameConn) Frames(limit int64) FrameReader {
	return FrameReader{reader: c.reader, limit: limit}
}

// WriteFrame writes one frame, which Flush sends.
func (c *FrameConn) WriteFrame(op ws.OpCode, final bool, payload []byte) error {
	if err := ws.WriteHeader(c.writer, ws.Header{Fin: final, OpCode: op, Length: int64(len(payload))}); err != nil {
		return err
	}
	_, err := c.writer.Write(payload)
	return err
}

// Flush sends what has been written.
func (c *FrameConn) Flush() error { return c.flush() }

// Close ends a connection. A stream ends with the handler of the request.
func (c *FrameConn) Close() {
	if c.conn == nil {
		return
	}
	_ = conn.CloseWrite(c.conn)
	_ = c.conn.SetReadDeadline(time.Now().Add(conn.LingerTime))
	_, _ = io.CopyN(io.Discard, c.reader, conn.LingerBytes)
	_ = c.conn.Close()
}
