package server

import (
	"context"
	"log/slog"
	"time"
)

// log writes the line of one exchange to the access log.
func (x *exchange) log(log *slog.Logger, status int, err error) {
	attrs := []slog.Attr{
		slog.String("method", x.request.Method), slog.String("path", x.request.URL.Path), slog.Int("status", status),
		slog.Int64("received", x.received), slog.Int64("sent", x.responder.sent), slog.Float64("duration_s", seconds(time.Since(x.start))),
		slog.String("client", x.origin.client), slog.Uint64("stream", x.streamID), slog.String("worker", x.worker),
		slog.String("protocol", x.request.Proto), slog.String("id", x.origin.id),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "exchange", attrs...)
}

// seconds returns a duration for the log, to the microsecond.
func seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }
