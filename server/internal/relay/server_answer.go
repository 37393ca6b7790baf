package relay

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/shm"
)

// Respond is a response that stands in the configuration.
type Respond struct {
	Status      int
	Body        []byte
	ContentType string
}

// answeredHere reports whether the server may answer the request itself: no worker is asked
// about the server as a whole, nor under a route without a pool, nor for a file.
func (x *exchange) answeredHere() bool {
	return x.route == nil || x.route.pool == nil || x.route.files != nil
}

// answerItself answers a request that no worker is asked about. It reports done = false if a
// worker has to be.
func (x *exchange) answerItself() (done bool, err error) {
	switch r := x.route; {
	case r == nil:
		return true, x.answer(http.StatusOK, "", nil) // OPTIONS *: the server is there
	case x.request.Method == http.MethodConnect:
		return true, fmt.Errorf("%w: CONNECT", fault.ErrMethod)
	case r.files != nil:
		return x.serveFile()
	case r.Redirect != nil:
		return true, x.redirect(r.Redirect)
	default:
		return true, x.answer(r.Respond.Status, r.Respond.ContentType, r.Respond.Body)
	}
}

// pieceBytes is how much of a body of the server's own a client has to take within its timeout.
// So much has room in the buffers of a socket.
const pieceBytes = 64 << 10

// writeBody writes a body of the server's own.
func (x *exchange) writeBody(body []byte) (err error) {
	if len(body) > pieceBytes {
		defer func() { _ = x.controller.SetWriteDeadline(time.Time{}) }()
	}
	for bounded := len(body) > pieceBytes; len(body) > 0 && err == nil; {
		if bounded {
			_ = x.controller.SetWriteDeadline(time.Now().Add(x.settings.ClientTimeout))
		}
		var n int
		n, err = x.writer.Write(body[:min(len(body), pieceBytes)])
		x.response.sent += int64(n)
		body = body[n:]
	}
	return err
}

// answer sends a whole response of the server's own.
func (x *exchange) answer(status int, contentType string, body []byte) error {
	if x.handshake != nil && x.handshake.Extended() && status < http.StatusMultipleChoices {
		return fmt.Errorf("%w: the server answers %d", fault.ErrNoWebSocket, status) // success would open it
	}
	x.begin(status, contentType, int64(len(body)))
	if x.response.head.BodyAllowed && len(body) > 0 {
		err := x.writeBody(body)
		if err != nil {
			return fmt.Errorf("%w: %w", fault.ErrClientGone, err)
		}
	}
	_ = protocol.Push(x.writer)
	x.dropRest()
	return nil
}

// begin sends the head of a response of the server's own.
func (x *exchange) begin(status int, contentType string, length int64) {
	fields := x.writer.Header()
	x.client.setResponseFields(fields)
	fields["Content-Type"] = nil // or net/http and package http3 would guess
	if contentType != "" {
		fields["Content-Type"] = []string{contentType}
	}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		fields["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	x.limitUnread()
	x.response.begun, x.response.begunAt = true, shm.Now()
	x.response.head = header.ResponseHead{
		Status: status, ContentLength: length,
		BodyAllowed: x.request.Method != http.MethodHead && status != http.StatusNoContent &&
			status != http.StatusNotModified,
	}
	x.writer.WriteHeader(status)
}
