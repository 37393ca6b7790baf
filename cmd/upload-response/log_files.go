package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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

// logFile is where the lines of a log go: to a file that can be opened again, when another program has moved it
// away, or deleted it, and for which another can be named.
type logFile struct {
	otherwise io.Writer // takes the lines while there is no file; nil: there always is one

	file atomic.Pointer[os.File]
	mu   sync.Mutex // held while another file is opened
	path string     // guarded by mu
}

// openLogFile opens or makes a file. Release: the end of the program, which writes to it to the last.
func openLogFile(path string) (*logFile, error) {
	l := &logFile{}
	file, err := appendTo(path)
	l.use(path, file)
	return l, err
}

// appendTo opens or makes a file to which lines are appended.
func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
}

// use has the lines go to a file, which is the log's from now on; nil: to what takes them otherwise.
func (l *logFile) use(path string, file *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path = path
	if old := l.file.Swap(file); old != nil {
		_ = old.Close()
	}
}

// name returns the path of the file, or "".
func (l *logFile) name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.path
}

// reopen opens the file of the path, if there is one. If that fails, lines go on to where they went.
func (l *logFile) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path == "" {
		return nil
	}
	file, err := appendTo(l.path)
	if err == nil {
		_ = l.file.Swap(file).Close()
	}
	return err
}

// Write takes lines. Those that come while another file takes the place of this one go to that.
func (l *logFile) Write(b []byte) (written int, err error) {
	for {
		file := l.file.Load()
		if file == nil {
			n, err := l.otherwise.Write(b[written:])
			return written + n, err
		}
		n, err := file.Write(b[written:])
		if written += n; !errors.Is(err, os.ErrClosed) || l.file.Load() == file {
			return written, err
		}
	}
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
	return v.addLog(file), nil
}

// addLog returns a writer of the lines of a log.
func (v *service) addLog(file *logFile) *logWriter {
	writer := &logWriter{file: file}
	v.logsLock.Lock()
	defer v.logsLock.Unlock()
	v.logFiles = append(v.logFiles, openLog{file, writer})
	v.output.add(writer)
	return writer
}

// openLogFiles returns the logs that have files, or had.
func (v *service) openLogFiles() []openLog {
	v.logsLock.Lock()
	defer v.logsLock.Unlock()
	return slices.Clone(v.logFiles)
}

// reopenLogs opens the files of the logs again.
func (v *service) reopenLogs() {
	for _, l := range v.openLogFiles() {
		path, err := l.file.name(), l.file.reopen()
		switch {
		case err != nil:
			v.log.Error("log file not opened again, lines go on to the old one", "file", path, "error", err)
		case path != "":
			v.log.Info("log file opened again", "file", path)
		}
	}
}

// flushLogs waits until the lines of the log files are written, but not for long.
func (v *service) flushLogs() {
	for _, l := range v.openLogFiles() {
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
	return v.openAccessLog(stdout)
}
