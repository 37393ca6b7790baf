package relay

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/errorpage"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// AccessLog says where a line for every answer goes, and what is in it.
type AccessLog struct {
	Log *slog.Logger // nil: there is none
	// Details has lines say what the client has sent besides the path: query, host, agent and referer, which may be
	// secrets. They say the route and the label of the reason, too.
	Details bool
	// Skip are paths whose requests have a line only when they fail; one that ends in * stands for all that begin so.
	Skip []string
}

// skips reports whether an answer has no line.
func (a *AccessLog) skips(path string, status int) bool {
	if a.Log == nil {
		return true
	}
	if status >= 400 {
		return false
	}
	for _, skip := range a.Skip {
		if prefix, all := strings.CutSuffix(skip, "*"); path == skip || all && strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// mostAttrs is more than the attributes of a line.
const mostAttrs = 24

// log writes the line of one exchange to the access log.
func (x *exchange) log(took *times, status int, err error) {
	a := &x.settings.AccessLog
	if a.skips(x.request.URL.Path, status) {
		return
	}
	var room [mostAttrs]slog.Attr
	attrs := append(room[:0],
		slog.String("method", x.request.Method), slog.String("path", x.request.URL.Path), slog.Int("status", status),
		slog.Int64("received", x.received), slog.Int64("sent", x.response.sent),
		slog.Float64("duration_s", seconds(took.total)),
		slog.String("client", x.client.address), slog.Uint64("stream", x.streamID), slog.String("worker", x.worker),
		slog.String("protocol", x.request.Proto), slog.String("id", x.client.id),
	)
	if x.route != nil {
		attrs = append(attrs, slog.String("app", x.route.PoolName))
	}
	if took.queue != meter.Unknown {
		attrs = append(attrs, slog.Float64("queue_s", seconds(took.queue)))
	}
	if took.firstByte != meter.Unknown {
		attrs = append(attrs, slog.Float64("first_byte_s", seconds(took.firstByte)))
	}
	if id := x.trace.id(); id != "" {
		attrs = append(attrs, slog.String("trace", id))
	}
	if x.response.websocket != nil {
		attrs = append(attrs, slog.Bool("websocket", true))
	}
	if a.Details {
		attrs = x.appendDetails(attrs)
	}
	attrs = appendFailure(attrs, a.Details, err)
	a.Log.LogAttrs(context.Background(), slog.LevelInfo, "exchange", attrs...)
}

// appendDetails adds what the client has sent, and which route the request took.
func (x *exchange) appendDetails(attrs []slog.Attr) []slog.Attr {
	r := x.request
	attrs = append(attrs, slog.String("target", r.RequestURI), slog.String("host", r.Host),
		slog.String("agent", r.Header.Get("User-Agent")), slog.String("referer", r.Header.Get("Referer")))
	if x.route != nil {
		attrs = append(attrs, slog.String("route", x.route.Name))
	}
	return attrs
}

// appendFailure adds why an exchange failed, if it did.
func appendFailure(attrs []slog.Attr, details bool, err error) []slog.Attr {
	if err == nil {
		return attrs
	}
	if details {
		attrs = append(attrs, slog.String("reason", fault.Of(err).Label()))
	}
	return append(attrs, slog.String("error", err.Error()))
}

// AnswerRefusal counts and logs a message of HTTP/1 that never became a request. It returns what
// the client is told, as it prefers if that is known, or else by default.
func (r *Relay) AnswerRefusal(m *protocol.Refusal) protocol.RefusalAnswer {
	s := r.settings.Load()
	a := protocol.RefusalAnswer{RequestID: newRequestID(), Varies: s.pages.Varies()}
	a.ContentType, a.Body = s.pages.Make(&errorpage.Failure{
		Status: m.Status, Reason: m.Reason, RequestID: a.RequestID,
	}, m.Accept)
	r.counters.Exchanges.Add(1)
	r.counters.Failed.Add(1)
	r.measureRefusal(m, len(a.Body))
	s.AccessLog.logRefusal(m, &a)
	return a
}

// logRefusal writes the line of a message that never became a request.
func (a *AccessLog) logRefusal(m *protocol.Refusal, answer *protocol.RefusalAnswer) {
	if a.skips(m.Path, m.Status) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", m.Method), slog.String("path", m.Path), slog.Int("status", m.Status),
		slog.Int64("received", 0), slog.Int64("sent", int64(len(answer.Body))), slog.Float64("duration_s", 0),
		slog.String("client", m.Client), slog.Uint64("stream", 0), slog.String("worker", ""),
		slog.String("protocol", "HTTP/1"), slog.String("id", answer.RequestID),
	}
	if a.Details {
		attrs = append(attrs, slog.String("reason", fault.OfReason(m.Reason).Label()))
	}
	a.Log.LogAttrs(context.Background(), slog.LevelInfo, "exchange", append(attrs, slog.String("error", m.Reason))...)
}

// seconds returns a duration for the log, to the microsecond.
func seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }
