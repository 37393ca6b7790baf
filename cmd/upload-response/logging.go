package main

import (
	"bytes"
	"io"
	"log/slog"
)

// logging says what is logged and how.
type logging struct {
	level  slog.Level
	format string // "text" or "json"
}

func (l *logging) options() optionGroup {
	*l = logging{level: slog.LevelInfo, format: "text"}
	return optionGroup{"Log (standard error)", []option{
		{name: "log-level", arg: "LEVEL", help: "debug, info, warn or error", value: "info", parse: level(&l.level)},
		{name: "log-format", arg: "FORMAT", help: "text or json", value: l.format, parse: choice(&l.format, "text", "json")},
	}}
}

// logger returns a logger that writes to w from the given level on. A [logWriter] says
// in the same format what it could not write.
func (l *logging) logger(w io.Writer, level slog.Level) *slog.Logger {
	if writer, ok := w.(*logWriter); ok {
		writer.notice = l.lostLines
	}
	return l.newLogger(w, level)
}

// lostLines returns the line that stands for those that are not there.
func (l *logging) lostLines(lines int, why error) []byte {
	var b bytes.Buffer
	l.newLogger(&b, slog.LevelWarn).Warn("lines of this log were lost", "lines", lines, "cause", why)
	return b.Bytes()
}

func (l *logging) newLogger(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
