package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// logWriter takes lines for a file that may fail, or that nobody reads on: a pipe whose
// reader has gone or is slow, a full disk, a terminal that was closed. It never fails and
// never waits. What cannot be written is counted, and the file says how much that was as
// soon as it can be written to again.
type logWriter struct {
	file io.Writer
	lost atomic.Int64 // lines, ever

	// notice returns the line that says how many lines were lost, and why; trouble is
	// called when the first of them is. Nil: nobody is told. They are set before the
	// first Write.
	notice  func(lines int, why error) []byte
	trouble func(why error)

	mu      sync.Mutex
	pending []byte        // whole lines, mostly
	spare   []byte        // the last ones, for reuse
	idle    chan struct{} // closed when nothing is being written; nil: nothing is
	missing int           // lines lost, which the file does not say yet
	why     error         // the first of them
	failing bool          // the last write failed
	torn    bool          // the file ends within a line
}

// mostPending is how many bytes wait to be written at most: some thousand lines.
const mostPending = 1 << 20

// errBehind is why lines are lost of which too many wait.
var errBehind = errors.New("its reader does not keep up")

// Write takes a line, or several.
func (l *logWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	trouble := false
	if len(l.pending)+len(b) > mostPending {
		trouble = l.missLocked(linesIn(b), errBehind)
	} else {
		l.pending = append(l.pending, b...)
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.drain()
	}
	l.mu.Unlock()
	l.tell(trouble, errBehind)
	return len(b), nil
}

// Flush waits until all lines are written or lost, but no longer than patience.
func (l *logWriter) Flush(patience time.Duration) {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-time.After(patience):
	}
}

// drain writes what is pending, until nothing is.
func (l *logWriter) drain() {
	for {
		l.mu.Lock()
		if len(l.pending) == 0 && (l.missing == 0 || l.failing || l.notice == nil) {
			close(l.idle)
			l.idle = nil
			l.mu.Unlock()
			return
		}
		batch := l.pending
		l.pending, l.spare = l.spare[:0], nil
		missing, why := l.missing, l.why
		l.missing = 0
		l.mu.Unlock()
		l.put(batch, missing, why)
		l.mu.Lock()
		l.spare = batch
		l.mu.Unlock()
	}
}

// put writes a batch of lines, and where some are missing says so: those that could not
// be written came before it, those for which there was no room after it.
func (l *logWriter) put(batch []byte, missing int, why error) {
	var prefix, suffix []byte
	if l.torn {
		prefix = append(prefix, '\n')
	}
	switch {
	case missing == 0 || l.notice == nil:
	case why == errBehind:
		suffix = l.notice(missing, why)
	default:
		prefix = append(prefix, l.notice(missing, why)...)
	}
	text := batch
	if len(prefix)+len(suffix) > 0 {
		text = slices.Concat(prefix, batch, suffix)
	}
	n, err := l.file.Write(text)
	if n > 0 {
		l.torn = text[n-1] != '\n'
	}
	l.mu.Lock()
	l.failing = err != nil
	trouble := false
	if err != nil {
		if n < len(prefix) || len(suffix) > 0 {
			l.missing, l.why = l.missing+missing, why
		}
		trouble = l.missLocked(linesIn(batch[min(max(n-len(prefix), 0), len(batch)):]), err)
	}
	l.mu.Unlock()
	l.tell(trouble, err)
}

// missLocked counts lines that are lost, and reports whether they are the first since
// the file said that some were.
func (l *logWriter) missLocked(lines int, why error) (first bool) {
	if lines == 0 {
		return false
	}
	if l.missing == 0 {
		first, l.why = true, why
	}
	l.missing += lines
	l.lost.Add(int64(lines))
	return first
}

func (l *logWriter) tell(trouble bool, why error) {
	if trouble && l.trouble != nil {
		l.trouble(why)
	}
}

// linesIn counts lines; what has no end is one.
func linesIn(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}

// exitPatience is how long the program waits at its end for the readers of its output.
const exitPatience = time.Second

// outlive makes the program outlive who reads its output: what it prints from now on is
// written when it can be. Release: flush.
func (p *program) survivePipes() {
	// A write to a pipe that nobody reads ends a program that does not ask for the
	// signal. To ignore it would make our children ignore it, too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	p.out, p.err = &logWriter{file: p.stdout}, &logWriter{file: p.stderr}
	p.stdout, p.stderr = p.out, p.err
}

// flush waits for what is still to be written.
func (p *program) flush() {
	if p.out == nil {
		return
	}
	p.out.Flush(exitPatience)
	p.err.Flush(exitPatience)
	p.stdout, p.stderr = p.out.file, p.err.file
	p.out, p.err = nil, nil
}
