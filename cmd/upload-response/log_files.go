package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server/accesslog"
)

// logFiles says which logs are written to files, and what the lines of the access log look like.
type logFiles struct {
	log          string   // file; empty: standard error
	access       string   // file; empty: standard output
	accessFormat string   // empty: as the other log, without what may be secret
	skip         []string // paths without a line
}

func (l *logFiles) flags() []cli.Option {
	return []cli.Option{
		{
			Name: "log-file", Arg: "FILE", Help: "append the log to a file, which SIGUSR1 opens again",
			Default: "standard error", Parse: cli.Text(&l.log),
		},
		{
			Name: "access-log-file", Arg: "FILE", Help: "append the access log to a file, which SIGUSR1 opens again",
			Default: "standard output", Parse: cli.Text(&l.access),
		},
		{
			Name: "access-log-format", Arg: "FORMAT",
			Help:    "text, json, combined, common, or a template such as {path} {status}",
			Default: "that of the log", Parse: accessFormat(&l.accessFormat),
			Words: []string{"text", "json", "combined", "common"},
		},
		{
			Name: "access-log-skip", Arg: "PATH",
			Help:  "no line for this path unless it fails; a * at the end stands for the rest; repeat",
			Parse: skippedPath(&l.skip), Split: cli.Words,
		},
	}
}

// accessFormat takes the format of the access log: a word, or a template.
func accessFormat(p *string) func(string) error {
	return func(s string) error {
		switch s {
		case "text", "json", "combined", "common":
		default:
			if _, err := accesslog.NewHandler(io.Discard, s); err != nil && !strings.ContainsAny(s, "{}") {
				return errors.New("want text, json, combined, common, or a template such as '{client} {path} {status}'")
			} else if err != nil {
				return errors.New(strings.TrimPrefix(err.Error(), accesslog.ErrTemplate.Error()+": "))
			}
		}
		*p = s
		return nil
	}
}

func skippedPath(p *[]string) func(string) error {
	return func(s string) error {
		if !strings.HasPrefix(s, "/") {
			return errors.New("want a path, such as /up or /static/*")
		}
		*p = append(*p, s)
		return nil
	}
}

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
	handler, err := accesslog.NewHandler(w, template)
	if err != nil {
		panic(err) // the flag was checked
	}
	return slog.New(handler)
}

// logFile is a file to which lines are appended, and that can be opened again: when another program has moved it
// away, or deleted it.
type logFile struct {
	path string
	mu   sync.Mutex
	file *os.File
}

// openLogFile opens or makes a file. Release: the end of the program, which writes to it to the last.
func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen opens the file of the path. If that fails, lines go on to where they went.
func (l *logFile) reopen() error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = file
	return nil
}

func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(b)
}

// openLog is a log in a file, and the lines that are not written yet.
type openLog struct {
	file   *logFile
	writer *logWriter
}

// logWriterTo returns where a log goes: to the file of a path, or to w if there is none.
func (v *service) logWriterTo(path, flag string, w io.Writer) (io.Writer, error) {
	if path == "" {
		return w, nil
	}
	file, err := openLogFile(path)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, path, systemError(err))
	}
	writer := &logWriter{file: file}
	v.logFiles = append(v.logFiles, openLog{file, writer})
	v.output.add(writer)
	return writer, nil
}

// reopenLogs opens the files of the logs again.
func (v *service) reopenLogs() {
	for _, l := range v.logFiles {
		if err := l.file.reopen(); err != nil {
			v.log.Error("log file not opened again, lines go on to the old one", "file", l.file.path, "error", err)
			continue
		}
		v.log.Info("log file opened again", "file", l.file.path)
	}
}

// flushLogs waits until the lines of the log files are written, but not for long.
func (v *service) flushLogs() {
	for _, l := range v.logFiles {
		l.writer.Flush(exitTimeout)
	}
}

// openLogs opens the log and the access log.
func (v *service) openLogs(stdout, stderr io.Writer) error {
	s := v.settings
	w, err := v.logWriterTo(s.logFiles.log, "log-file", stderr)
	if err != nil {
		return err
	}
	v.log = v.admin.watch(s.logging.logger(w, s.logging.level))
	v.workerLog = s.logging.logger(w, slog.LevelInfo)
	if w, err = v.logWriterTo(s.logFiles.access, "access-log-file", stdout); err != nil {
		return err
	}
	v.accessLog, v.accessDetails = s.accessLogger(w)
	v.reportLoss(w)
	return nil
}
