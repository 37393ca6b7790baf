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

// logWriter writes lines to a file that may fail or block: a pipe with a reader that has
// gone or is slow, a full disk, a closed terminal. Write never fails and never waits.
// Lines that cannot be written are counted, and the file says how many they were as soon
// as it can be written to again.
type logWriter struct {
	file io.Writer
	lost atomic.Int64 // lines, in all

	mu sync.Mutex
	// lostLine returns the line that says how many lines were lost, and why; onLoss is
	// called when the first of them is lost. Either can be nil.
	lostLine func(lines int, cause error) []byte
	onLoss   func(cause error)

	pending []byte        // mostly whole lines
	spare   []byte        // buffer of the last batch, for reuse
	idle    chan struct{} // closed when drain returns; nil: nothing is being written
	missing int           // lines lost since the file last said how many
	cause   error         // why the first of them was lost
	failing bool          // the last write failed
	torn    bool          // the file ends within a line
}

// maxPending is the most bytes that wait to be written: several thousand lines.
const maxPending = 1 << 20

// errBehind is why lines are lost when too many wait.
var errBehind = errors.New("the reader is too slow")

// setLostLine sets what stands for lines that were lost.
func (l *logWriter) setLostLine(line func(lines int, cause error) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lostLine = line
}

// setOnLoss sets what is called for the first line that is lost.
func (l *logWriter) setOnLoss(call func(cause error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onLoss = call
}

// Write takes one or more lines.
func (l *logWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	first := false
	if len(l.pending)+len(b) > maxPending {
		first = l.loseLocked(linesIn(b), errBehind)
	} else {
		l.pending = append(l.pending, b...)
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.drain()
	}
	l.mu.Unlock()
	l.reportLoss(first, errBehind)
	return len(b), nil
}

// Flush waits until all lines are written or lost, but no longer than the timeout.
func (l *logWriter) Flush(timeout time.Duration) {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-time.After(timeout):
	}
}

// drain writes pending lines until there are none.
func (l *logWriter) drain() {
	for {
		l.mu.Lock()
		if len(l.pending) == 0 && (l.missing == 0 || l.failing || l.lostLine == nil) {
			close(l.idle)
			l.idle = nil
			l.mu.Unlock()
			return
		}
		batch := l.pending
		l.pending, l.spare = l.spare[:0], nil
		missing, cause, lostLine := l.missing, l.cause, l.lostLine
		l.missing = 0
		l.mu.Unlock()
		var lost []byte
		if missing > 0 && lostLine != nil {
			lost = lostLine(missing, cause)
		}
		l.writeBatch(batch, lost, missing, cause)
		l.mu.Lock()
		l.spare = batch
		l.mu.Unlock()
	}
}

// writeBatch writes a batch of lines, and a line that says how many are missing: before the
// batch if they could not be written, after it if there was no room for them.
func (l *logWriter) writeBatch(batch, lost []byte, missing int, cause error) {
	var prefix, suffix []byte
	if l.torn {
		prefix = append(prefix, '\n')
	}
	if cause == errBehind {
		suffix = lost
	} else {
		prefix = append(prefix, lost...)
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
	first := false
	if err != nil {
		if n < len(prefix) || len(suffix) > 0 {
			l.missing, l.cause = l.missing+missing, cause
		}
		first = l.loseLocked(linesIn(batch[min(max(n-len(prefix), 0), len(batch)):]), err)
	}
	l.mu.Unlock()
	l.reportLoss(first, err)
}

// loseLocked counts lines that are lost, and reports whether they are the first since
// the file said that some were.
func (l *logWriter) loseLocked(lines int, cause error) (first bool) {
	if lines == 0 {
		return false
	}
	if l.missing == 0 {
		first, l.cause = true, cause
	}
	l.missing += lines
	l.lost.Add(int64(lines))
	return first
}

func (l *logWriter) reportLoss(first bool, cause error) {
	if !first {
		return
	}
	l.mu.Lock()
	onLoss := l.onLoss
	l.mu.Unlock()
	if onLoss != nil {
		onLoss(cause)
	}
}

// linesIn counts lines, including a last one without an end.
func linesIn(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}

// exitTimeout is how long the program, before it exits, waits for the readers of its output.
const exitTimeout = time.Second

// survivePipes makes the program go on when the reader of its output ends. Release: flush.
func (p *program) survivePipes() {
	// A write to a pipe without a reader ends a program that does not handle the signal. If
	// we ignored it, our children would, too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	p.out, p.err = &logWriter{file: p.stdout}, &logWriter{file: p.stderr}
	p.stdout, p.stderr = p.out, p.err
}

// flush waits until the output is written.
func (p *program) flush() {
	if p.out == nil {
		return
	}
	p.out.Flush(exitTimeout)
	p.err.Flush(exitTimeout)
	p.stdout, p.stderr = p.out.file, p.err.file
	p.out, p.err = nil, nil
}
