package main

import (
	"bytes"
	"io"
	"log/slog"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// logging says which messages are logged, and in which format.
type logging struct {
	level  slog.Level
	format string // "text" or "json"
}

func (l *logging) flags() cli.Group {
	*l = logging{level: slog.LevelInfo, format: "text"}
	return cli.Group{Heading: "Log (standard error)", Options: []cli.Option{
		{Name: "log-level", Arg: "LEVEL", Help: "debug, info, warn or error", Default: "info", Parse: level(&l.level),
			Words: []string{"debug", "info", "warn", "error"}},
		{Name: "log-format", Arg: "FORMAT", Help: "text or json", Default: l.format,
			Parse: cli.Choice(&l.format, "text", "json"), Words: []string{"text", "json"}},
	}}
}

// logger returns a logger that writes to w from a level up. A [logWriter] reports in the
// same format how many lines it could not write.
func (l *logging) logger(w io.Writer, level slog.Level) *slog.Logger {
	if writer, ok := w.(*logWriter); ok {
		writer.setLostLine(l.lostLine)
	}
	return l.newLogger(w, level)
}

// lostLine returns the line that stands for lines that were lost.
func (l *logging) lostLine(lines int, cause error) []byte {
	var b bytes.Buffer
	l.newLogger(&b, slog.LevelWarn).Warn("lines of this log were lost", "lines", lines, "cause", cause)
	return b.Bytes()
}

func (l *logging) newLogger(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
