package main

import (
	"io"
	"os"
	"slices"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// serverOutput is the standard output and error of the server, to which workers write, too.
type serverOutput struct {
	own []*logWriter
}

// add adds a standard output, or error, of the server.
func (o *serverOutput) add(w io.Writer) {
	if writer, ok := w.(*logWriter); ok {
		o.own = append(o.own, writer)
	}
}

// forWorkers returns where worker processes write in place of a standard output, or error,
// of the server. A pipe without a reader would end every worker that prints, and one with a
// slow reader would hold it up: instead the server reads what workers print, and lines get
// lost. Standard error is always read: the supervisor looks for what is said again and again.
func (o *serverOutput) forWorkers(own *os.File) supervise.Output {
	i := slices.IndexFunc(o.own, func(w *logWriter) bool { return w.file == own })
	info, err := own.Stat()
	if i < 0 || err != nil || own != os.Stderr && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return supervise.Output{File: own}
	}
	return supervise.Output{Write: func(_, _ string, lines []byte) { _, _ = o.own[i].Write(lines) }}
}

// lostLines returns how many lines could not be written.
func (o *serverOutput) lostLines() (n int64) {
	for _, w := range o.own {
		n += w.lost.Load()
	}
	return n
}
