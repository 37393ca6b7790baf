package protocol

import (
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// The rest of an upload over HTTP/2 is read and thrown away for a moment when the response
// is no success: clients then stop sending, if they have read the response before their
// stream is reset. Those that get another one send on, and only the reset ends that.
const (
	DrainBytes = 16 << 20
	DrainTime  = 100 * time.Millisecond
)

// earlyHold is how long an early response waits for the rest of a short upload, which
// mostly follows at once: a client of HTTP/1.1 that is in the middle of sending when the
// response comes may lose it.
const earlyHold = 20 * time.Millisecond

// LeftoverDeadline returns until when the rest of an upload may come in whose exchange is
// over, with a status or without one. WillCome says that the client is expected to send it.
func (s *Session) LeftoverDeadline(willCome bool, status int) time.Time {
	switch {
	case s.Pipelined && willCome:
		return time.Now().Add(conn.LingerTime)
	case s.Version == proto.HTTP2 && willCome && status >= http.StatusMultipleChoices:
		return time.Now().Add(DrainTime)
	}
	return conn.Past // over HTTP/3 the client learns that nobody reads the rest, and still gets the response
}

// LeftoverBytes returns how much of it is read and thrown away: then the connection can
// serve the next request.
func (s *Session) LeftoverBytes() int {
	switch s.Version {
	case proto.HTTP2:
		return DrainBytes
	case proto.HTTP3:
		return 0
	}
	return conn.LingerBytes
}

// EarlyHold returns how long an early response waits for the rest of its upload.
func (s *Session) EarlyHold() time.Duration {
	if s.Pipelined {
		return earlyHold
	}
	return 0
}
