package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// workerOutput is where worker processes write: standard output and error of the server,
// or pipes that it reads.
type workerOutput struct {
	own     []*logWriter // of the server
	pipes   []*os.File   // the ends to which workers write
	copying sync.WaitGroup
}

// add adds a standard output, or error, of the server.
func (o *workerOutput) add(w io.Writer) {
	if writer, ok := w.(*logWriter); ok {
		o.own = append(o.own, writer)
	}
}

// forWorkers returns what worker processes get in place of a standard output, or error, of
// the server. A pipe without a reader would end every worker that prints: instead they get
// a pipe that the server reads, and lines get lost.
func (o *workerOutput) forWorkers(own *os.File) *os.File {
	i := slices.IndexFunc(o.own, func(w *logWriter) bool { return w.file == own })
	info, err := own.Stat()
	if i < 0 || err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return own
	}
	r, w, err := os.Pipe()
	if err != nil {
		return own
	}
	o.pipes = append(o.pipes, w)
	o.copying.Go(func() { copyLines(o.own[i], r) })
	return w
}

// copyLines copies lines until all writers have closed the pipe.
func copyLines(to io.Writer, from io.ReadCloser) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, 64<<10)
	for {
		line, err := lines.ReadSlice('\n') // or as much as fits
		_, _ = to.Write(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// close waits a moment for the last lines of the workers.
func (o *workerOutput) close() {
	for _, w := range o.pipes {
		_ = w.Close()
	}
	ended := make(chan struct{})
	go func() {
		o.copying.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(exitTimeout): // a process that a worker left behind has the pipe
	}
}

// lostLines returns how many lines could not be written.
func (o *workerOutput) lostLines() (n int64) {
	for _, w := range o.own {
		n += w.lost.Load()
	}
	return n
}
