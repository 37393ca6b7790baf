package relay

import (
	"context"
	"log/slog"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// log writes the line of one exchange to the access log.
func (x *exchange) log(log *slog.Logger, status int, err error) {
	attrs := []slog.Attr{
		slog.String("method", x.request.Method), slog.String("path", x.request.URL.Path), slog.Int("status", status),
		slog.Int64("received", x.received), slog.Int64("sent", x.response.sent),
		slog.Float64("duration_s", seconds(time.Since(x.start))),
		slog.String("client", x.client.address), slog.Uint64("stream", x.streamID), slog.String("worker", x.worker),
		slog.String("protocol", x.request.Proto), slog.String("id", x.client.id),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "exchange", attrs...)
}

// LogRefusal counts and logs an answer to a message of HTTP/1 that never became a request. It
// returns the id of the answer.
func (r *Relay) LogRefusal(m *protocol.Refusal) (id string) {
	id = newRequestID()
	r.counters.Exchanges.Add(1)
	r.counters.Failed.Add(1)
	log := r.settings.Load().AccessLog
	if log == nil {
		return id
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "exchange",
		slog.String("method", m.Method), slog.String("path", m.Path), slog.Int("status", m.Status),
		slog.Int64("received", 0), slog.Int64("sent", int64(m.Sent)), slog.Float64("duration_s", 0),
		slog.String("client", m.Client), slog.Uint64("stream", 0), slog.String("worker", ""),
		slog.String("protocol", "HTTP/1"), slog.String("id", id), slog.String("error", m.Reason))
	return id
}

// seconds returns a duration for the log, to the microsecond.
func seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }
