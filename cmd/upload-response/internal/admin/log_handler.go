package admin

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Handler returns a handler that gives records to inner, and those from level info up to the
// readers of the events as well.
func (e *Events) Handler(inner slog.Handler) slog.Handler {
	return &logHandler{inner: inner, events: e}
}

// logHandler is the handler of [Events.Handler].
type logHandler struct {
	inner  slog.Handler
	events *Events
	attrs  []slog.Attr // of With; their keys have the groups before them
	group  string      // in front of keys, with a dot at the end
}

// Enabled reports whether somebody wants records of a level.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.inner.Enabled(ctx, level)
}

// Handle passes a record on.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelInfo {
		h.events.Publish(h.event(&record))
	}
	if !h.inner.Enabled(ctx, record.Level) {
		return nil
	}
	return h.inner.Handle(ctx, record)
}

// WithAttrs returns a handler whose records have more attributes.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.inner = h.inner.WithAttrs(attrs)
	next.attrs = append([]slog.Attr(nil), h.attrs...)
	for _, a := range attrs {
		next.attrs = append(next.attrs, slog.Attr{Key: h.group + a.Key, Value: a.Value})
	}
	return &next
}

// WithGroup returns a handler whose records have further attributes in a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.inner = h.inner.WithGroup(name)
	next.group = h.group + name + "."
	return &next
}

// longestText is the most bytes of a message, or of the text of an attribute, in an event.
const longestText = 8 << 10

// event makes an event of a record. The attributes app, worker and pid become those of the
// event.
func (h *logHandler) event(record *slog.Record) Event {
	event := Event{
		Time: record.Time, Type: TypeLog, Level: strings.ToLower(record.Level.String()),
		Message: shorten(record.Message), Attributes: map[string]any{},
	}
	for _, a := range h.attrs {
		event.add("", a)
	}
	record.Attrs(func(a slog.Attr) bool {
		event.add(h.group, a)
		return true
	})
	return event
}

// add adds an attribute, whose key is behind a group.
func (e *Event) add(group string, a slog.Attr) {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range value.Group() {
			e.add(group, inner)
		}
		return
	}
	switch key := group + a.Key; {
	case key == "app" && value.Kind() == slog.KindString:
		e.App = value.String()
	case key == "worker" && value.Kind() == slog.KindString:
		e.Worker = value.String()
	case key == "pid" && value.Kind() == slog.KindInt64:
		e.PID = int(value.Int64())
	case key != "":
		e.Attributes[key] = plain(value)
	}
}

// plain returns a value that JSON can say: numbers and booleans stay, all else is text.
func plain(v slog.Value) any {
	switch v.Kind() {
	case slog.KindBool:
		return v.Bool()
	case slog.KindInt64:
		return v.Int64()
	case slog.KindFloat64:
		return v.Float64()
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		return shorten(fmt.Sprint(v.Any()))
	}
	return shorten(v.String())
}

// shorten returns text that is not too long, and is UTF-8.
func shorten(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), longestText)], "\uFFFD")
}
