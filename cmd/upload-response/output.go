package main

import (
	"io"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// serverOutput is the standard output and error of the server, to which workers write, too.
type serverOutput struct {
	mu  sync.Mutex
	own []*logWriter // guarded by mu
}

// add adds a standard output, or error, of the server.
func (o *serverOutput) add(w io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if writer, ok := w.(*logWriter); ok {
		o.own = append(o.own, writer)
	}
}

// forWorkers returns where worker processes write in place of a standard output, or error,
// of the server. A pipe without a reader would end every worker that prints, and one with a
// slow reader would hold it up: instead the server reads what workers print, and lines get
// lost. Standard error is always read: the supervisor looks for what is said again and again.
func (o *serverOutput) forWorkers(own *os.File) supervise.Output {
	o.mu.Lock()
	i := slices.IndexFunc(o.own, func(w *logWriter) bool { return w.file == own })
	var to *logWriter
	if i >= 0 {
		to = o.own[i]
	}
	o.mu.Unlock()
	info, err := own.Stat()
	if to == nil || err != nil || own != os.Stderr && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return supervise.Output{File: own}
	}
	return supervise.Output{Write: func(_, _ string, lines []byte) { _, _ = to.Write(lines) }}
}

// wrapped returns an output whose lines become records of a log. Lines that look as if they
// belong together, such as those of a traceback, are one record.
func wrapped(log *slog.Logger, stream string) supervise.Output {
	return supervise.Output{Write: func(app, worker string, lines []byte) {
		for record := range records(lines) {
			log.Info(record, "app", app, "worker", worker, "stream", stream)
		}
	}}
}

// together is what lines contain that belong together: some are indented, as in tracebacks, or
// they are frames of a stack.
var together = []string{"\n ", "\n\t", "most recent call", "[0x"}

// records splits lines that were printed at once: into lines, or not at all if they belong
// together.
func records(lines []byte) iter.Seq[string] {
	text := strings.TrimRight(strings.ToValidUTF8(string(lines), "\uFFFD"), "\r\n")
	if slices.ContainsFunc(together, func(mark string) bool { return strings.Contains(text, mark) }) {
		return slices.Values([]string{text})
	}
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimRight(line, "\r"); line != "" && !yield(line) {
				return
			}
		}
	}
}

// lostLines returns how many lines could not be written.
func (o *serverOutput) lostLines() (n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.own {
		n += w.lost.Load()
	}
	return n
}
