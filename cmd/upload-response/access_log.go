package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/wavey-ai/upload-response/server/accesslog"
)

// wanted reports whether a flag asks for an access log.
func (l *logFiles) wanted(given func(option string) bool) bool {
	return given("access-log-file") || given("access-log-format") || given("access-log-skip")
}

// accessLogger returns the access log, which is written to w, and whether its lines say everything.
func (s *settings) accessLogger(w io.Writer) (log *slog.Logger, details bool) {
	switch format := s.logFiles.accessFormat; format {
	case "", "text", "json":
		l := s.logging
		l.format = cmp.Or(format, l.format)
		return l.logger(w, slog.LevelInfo), format == "json"
	case "combined":
		return s.templateLogger(w, accesslog.Combined), true
	case "common":
		return s.templateLogger(w, accesslog.Common), true
	default:
		return s.templateLogger(w, format), true
	}
}

func (s *settings) templateLogger(w io.Writer, template string) *slog.Logger {
	if writer, ok := w.(*logWriter); ok {
		writer.setLostLine(nil) // it would have another format
	}
	handler, err := accesslog.NewHandler(w, template)
	if err != nil {
		panic(err) // the flag was checked
	}
	return slog.New(handler)
}

// accessLog is where the lines of requests go. A reload can send them elsewhere.
type accessLog struct {
	stdout io.Writer
	file   *logFile   // nil: none was ever named
	writer *logWriter // to the file
}

// openAccessLog opens the file of the access log, if one is named.
func (v *service) openAccessLog(stdout io.Writer) error {
	v.access.stdout = stdout
	path := v.settings.logFiles.access
	file, err := v.nextAccessFile(v.settings)
	if err != nil {
		return fmt.Errorf("--access-log-file %s: %w", path, systemError(err))
	}
	v.useAccessFile(v.settings, file)
	return nil
}

// reportLoss makes the log say that the access log cannot be written.
func (v *service) reportLoss(cause error) {
	v.log.Warn("lines of the access log are lost", "cause", cause)
}

// nextAccessFile opens the file of the access log that settings name; nil if it is open, or they name none. Release:
// useAccessFile, or Close if the settings do not come into effect.
func (v *service) nextAccessFile(s *settings) (*os.File, error) {
	path := s.logFiles.access
	if path == "" || v.access.file != nil && v.access.file.name() == path {
		return nil, nil
	}
	file, err := appendTo(path)
	if err == nil && v.access.file == nil {
		v.access.file = &logFile{otherwise: v.access.stdout}
		v.access.writer = v.addLog(v.access.file)
	}
	return file, err
}

// useAccessFile has the lines of requests, also of those that have begun before, go to the file that settings name.
// Without an access log nothing changes: those that have begun still have their lines.
func (v *service) useAccessFile(s *settings, file *os.File) {
	if file != nil || s.accessLog && s.logFiles.access == "" && v.access.file != nil {
		v.access.file.use(s.logFiles.access, file)
	}
	if writer, ok := v.accessWriter(s).(*logWriter); ok && s.accessLog {
		writer.setOnLoss(v.reportLoss)
	}
}

// accessWriter returns what takes the lines of requests.
func (v *service) accessWriter(s *settings) io.Writer {
	if s.logFiles.access == "" {
		return v.access.stdout
	}
	return v.access.writer
}
