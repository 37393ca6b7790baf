package accesslog

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// Handler writes a line for each record, by a template. Attributes that the template does not name are left out, and
// so are groups and attributes of loggers.
type Handler struct {
	w        io.Writer
	segments []segment
}

// NewHandler returns a handler that writes lines to w: one Write for each. It returns an [ErrTemplate] that says what
// is wrong with a template.
func NewHandler(w io.Writer, template string) (*Handler, error) {
	segments, err := parse(template)
	if err != nil {
		return nil, err
	}
	return &Handler{w: w, segments: segments}, nil
}

// Enabled reports that every record has a line.
func (h *Handler) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs returns the handler.
func (h *Handler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup returns the handler.
func (h *Handler) WithGroup(string) slog.Handler { return h }

// line is memory for a line, and for the values in it.
type line struct {
	text   []byte
	values [request]slog.Value
}

var lines = sync.Pool{New: func() any { return new(line) }}

// longest is the most memory that is kept for the next line.
const longest = 16 << 10

// Handle writes the line of a record.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	l := lines.Get().(*line)
	l.write(h.segments, r)
	_, err := h.w.Write(l.text)
	clear(l.values[:])
	if cap(l.text) <= longest {
		lines.Put(l)
	}
	return err
}

// write makes l the line of a record.
func (l *line) write(segments []segment, r slog.Record) {
	r.Attrs(func(a slog.Attr) bool {
		if f, known := byName[a.Key]; known && f < request {
			l.values[f] = a.Value
		}
		return true
	})
	l.text = l.text[:0]
	for i := range segments {
		l.text = append(l.text, segments[i].text...)
		l.add(segments[i].field, r.Time)
	}
	l.text = append(l.text, '\n')
}

// The formats of times.
const (
	formatRFC = "2006-01-02T15:04:05.000Z07:00"
	formatCLF = "02/Jan/2006:15:04:05 -0700"
)

// add adds a field.
func (l *line) add(f field, at time.Time) {
	switch f {
	case fields:
	case timeRFC:
		l.text = at.AppendFormat(l.text, formatRFC)
	case timeCLF:
		l.text = at.AppendFormat(l.text, formatCLF)
	case request:
		l.addRequest()
	default:
		l.addValue(l.values[f])
	}
}

// addRequest adds the request line, or - for a message that never became a request.
func (l *line) addRequest() {
	if text := l.values[method]; text.Kind() != slog.KindString || text.String() == "" {
		l.text = append(l.text, '-')
		return
	}
	l.addValue(l.values[method])
	l.text = append(l.text, ' ')
	if text := l.values[target]; text.Kind() == slog.KindString && text.String() != "" {
		l.addValue(text)
	} else {
		l.addValue(l.values[path])
	}
	l.text = append(l.text, ' ')
	l.addValue(l.values[protocol])
}

// addValue adds a value, or - for none.
func (l *line) addValue(v slog.Value) {
	switch v.Kind() {
	case slog.KindString:
		l.text = appendEscaped(l.text, v.String())
	case slog.KindInt64:
		l.text = strconv.AppendInt(l.text, v.Int64(), 10)
	case slog.KindUint64:
		l.text = strconv.AppendUint(l.text, v.Uint64(), 10)
	case slog.KindFloat64:
		l.text = strconv.AppendFloat(l.text, v.Float64(), 'f', 6, 64)
	case slog.KindBool:
		l.text = strconv.AppendBool(l.text, v.Bool())
	default: // the zero value: the record does not have it
		l.text = append(l.text, '-')
	}
}

const hexDigits = "0123456789ABCDEF"

// appendEscaped adds text that somebody else has written, or - for none. What could end a quoted value or a line, or
// move the cursor of a terminal, is escaped as nginx does it.
func appendEscaped(b []byte, text string) []byte {
	if text == "" {
		return append(b, '-')
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
