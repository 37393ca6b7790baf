package relay

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/errorpage"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// fail counts a failed exchange and answers it if that is still possible.
func (x *exchange) fail(err error) (status int) {
	c := &x.relay.counters
	f := fault.Of(err)
	status = f.Status
	c.count(f.Counter)
	if status >= http.StatusInternalServerError && !f.Retry {
		x.settings.Log.Warn("exchange failed", "stream", x.streamID,
			"method", x.request.Method, "path", x.request.URL.Path, "id", x.client.id,
			"worker", x.worker, "status", status, "begun", x.response.begun, "error", err)
	}
	if x.response.begun {
		c.Aborted.Add(1)
		return status
	}
	if status != fault.StatusClientGone {
		x.answerFailure(f)
	}
	return status
}

// answerFailure sends the status and the reason of a failure.
func (x *exchange) answerFailure(f *fault.Fault) {
	header := x.writer.Header()
	x.client.setResponseFields(header)
	contentType, body := x.settings.pages.Make(&errorpage.Failure{
		Status: f.Status, Reason: f.Reason(), RequestID: x.client.id,
	}, x.request.Header["Accept"])
	header["Content-Type"] = []string{contentType}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	if x.settings.pages.Varies() {
		header["Vary"] = []string{"Accept"}
	}
	if f.Retry {
		header.Set("Retry-After", "1")
	}
	if x.upload != nil && !x.uploadEnded || x.session.Ambiguous || f.EndsConnection {
		x.session.CloseAfter(header)
	}
	x.limitUnread()
	x.writer.WriteHeader(f.Status)
	if x.request.Method != http.MethodHead {
		_ = x.writeBody(body)
	}
	_ = protocol.Push(x.writer)
	x.dropRest()
}

// dropRest lets the upload of a refused request over HTTP/2 in for a moment, see
// [protocol.DrainTime].
func (x *exchange) dropRest() {
	if x.session.Version != proto.HTTP2 || x.session.AwaitsContinue || !x.hasBody() || x.upload != nil {
		return
	}
	_ = x.controller.Flush()
	_ = x.controller.SetReadDeadline(time.Now().Add(protocol.DrainTime))
	_, _ = io.CopyN(io.Discard, x.request.Body, protocol.DrainBytes)
}

// limitUnread bounds how long net/http waits for a body that nobody reads: it reads some
// of the body before it answers.
func (x *exchange) limitUnread() {
	if x.session.Pipelined && x.upload == nil && x.hasBody() {
		_ = x.controller.SetReadDeadline(time.Now().Add(conn.LingerTime))
	}
}
