package supervise

import (
	"bytes"
	"errors"
	"hash/maphash"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// output reads what a process prints. Its readers go on until the last process that has the
// pipe has closed it, which can be a descendant that lives longer.
type output struct {
	emit    func([]byte) // takes lines of standard error
	writers []*os.File   // the ends of the process, until it has started
	readers sync.WaitGroup
	printed atomic.Int64 // bytes

	mu       sync.Mutex
	expected []uint64 // lines of a process that died before it attached
	lines    []uint64 // of this one, so far
	held     []byte   // lines that are the expected ones
	differs  bool     // from what is expected
}

// mostLine is the most bytes that are written at once, and in one line.
const mostLine = 64 << 10

// openOutput gives the process its standard output and error. Release: closeWriters, once
// the process has started.
func (p *process) openOutput(command *exec.Cmd) {
	c := &p.supervisor.config
	if out := p.output.open(p, c.Stdout, func(b []byte) { c.Stdout.Write(p.spec.Name, p.slot.name, b) }); out != nil {
		command.Stdout = out
	}
	p.output.emit = func(b []byte) { c.Stderr.Write(p.spec.Name, p.slot.name, b) }
	if out := p.output.open(p, c.Stderr, p.output.filter); out != nil {
		command.Stderr = out
	}
}

// open returns what the process is to write to; nil: nothing.
func (o *output) open(p *process, to Output, emit func([]byte)) *os.File {
	if to.File != nil || to.Write == nil {
		return to.File
	}
	r, w, err := os.Pipe()
	if err != nil {
		p.supervisor.log.Error("the output of a worker is lost", "worker", p.slot.name, "error", err)
		return nil
	}
	o.writers = append(o.writers, w)
	o.readers.Go(func() { o.copy(r, emit) })
	return w
}

func (o *output) closeWriters() {
	for _, w := range o.writers {
		_ = w.Close()
	}
}

// coalesce is how long a reader waits for more lines that belong together.
const coalesce = 5 * time.Millisecond

// copy passes on whole lines, as many as come together, until the pipe is closed.
func (o *output) copy(from *os.File, emit func([]byte)) {
	defer from.Close()
	buffer := make([]byte, mostLine)
	n := 0
	for {
		m, err := from.Read(buffer[n:])
		n += m
		for err == nil && n < len(buffer) && m > 0 {
			_ = from.SetReadDeadline(time.Now().Add(coalesce))
			m, err = from.Read(buffer[n:])
			n += m
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = from.SetReadDeadline(time.Time{})
		}
		whole := bytes.LastIndexByte(buffer[:n], '\n') + 1
		if whole == 0 && n == len(buffer) {
			whole = n
		}
		if err != nil && whole < n { // the end, within a line
			n = copy(buffer[n:], "\n") + n
			whole = n
		}
		if whole > 0 {
			o.printed.Add(int64(whole))
			emit(buffer[:whole])
		}
		n = copy(buffer, buffer[whole:n])
		if err != nil {
			return
		}
	}
}

// lastWords is how long the readers may take to read what a process that has ended printed.
const lastWords = 100 * time.Millisecond

// close waits a moment for the last lines.
func (o *output) close() {
	ended := make(chan struct{})
	go func() {
		o.readers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(lastWords): // a descendant has the pipe
	}
}

// transcript is what a process printed on standard error that died before it attached: the
// next one is likely to print the same.
type transcript struct {
	lines   []uint64 // hashes
	repeats int      // processes that have printed the same since
}

// mostRemembered is the most lines of a transcript.
const mostRemembered = 1000

// expect sets what the process is likely to print: that is held back, until it differs or
// the process attaches.
func (o *output) expect(t transcript) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expected, o.differs = t.lines, len(t.lines) == 0
}

// filter passes lines on, or holds them back.
func (o *output) filter(lines []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(lines) {
		if o.differs && len(o.lines) > mostRemembered {
			break
		}
		o.compareLine(hashLine(line))
	}
	o.held = append(o.held, lines...)
	if o.differs {
		o.flushLocked()
	}
}

// compareLine notes the next line. The caller holds the lock.
func (o *output) compareLine(hash uint64) {
	at := len(o.lines)
	o.lines = append(o.lines, hash)
	if at >= len(o.expected) || o.expected[at] != hash {
		o.differs = true
	}
}

// flush passes on what was held back, and holds back no more.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.differs = true
	o.flushLocked()
}

func (o *output) flushLocked() {
	if len(o.held) > 0 {
		o.emit(o.held)
	}
	o.held = nil
}

// finish reports whether a process printed just what was expected, which is then not passed
// on, and returns the lines.
func (o *output) finish() (lines []uint64, same bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	same = !o.differs && len(o.lines) == len(o.expected)
	if !same {
		o.flushLocked()
	}
	o.differs, o.held = true, nil
	if len(o.lines) > mostRemembered {
		return nil, same
	}
	return slices.Clip(o.lines), same
}

var lineSeed = maphash.MakeSeed()

// hashLine returns a hash of a line without its numbers: times, processes and addresses
// differ in lines that say the same.
func hashLine(line []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(lineSeed)
	number := false
	for _, c := range line {
		digit := c >= '0' && c <= '9' || number && (c >= 'a' && c <= 'f' || c == 'x')
		if !digit {
			_ = h.WriteByte(c)
		} else if !number {
			_ = h.WriteByte('0')
		}
		number = digit
	}
	return h.Sum64()
}
