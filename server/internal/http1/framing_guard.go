package http1

import (
	"bytes"
	"strings"
	"sync/atomic"
)

// FramingGuard follows the bytes of an HTTP/1 connection from one message to the next and
// stops those that not everybody would read in the same way: whoever takes the end of
// a body for somewhere else finds a request in it that nobody sent (request
// smuggling). Net/http reads such messages somehow, and does not tell.
//
// What net/http refuses by itself the FramingGuard leaves to it. The two have to agree on
// where each message ends in all that both let through.
//
//	start -> fields -> start                           no body
//	         fields -> bytes -> start                  Content-Length
//	         fields -> size -> bytes -> size ...       chunked
//	                   size -> trailers -> start
type FramingGuard struct {
	stage guardStage
	next  guardStage // after the bytes
	left  uint64     // bytes to let through unseen
	line  []byte     // the beginning of a line whose end has not come
	head  messageHead

	begun int    // messages
	first []byte // the beginning of the last one's first line

	later  bool // not the first message of the connection
	passed bool // an empty line in front of the message was passed over
	held   bool // its carriage return came, and nothing behind it

	poison []byte      // to be handed on next: what has net/http refuse the message
	opaque atomic.Bool // what comes is not HTTP/1
}

type guardStage uint8

const (
	stageStart guardStage = iota // of a message
	stageFields
	stageBytes
	stageSize // of a chunk
	stageTrailers
	stageShut // nothing more is let through
)

// poison has net/http refuse whatever it stands in, at once: NUL belongs neither into a
// head nor into trailers, a chunk's line does not end in a bare line feed, and there
// is as much as it waits for before it looks: a preface of HTTP/2, or two line ends.
var poison = []byte(strings.Repeat("\x00", 24) + "\n\r\n\r\n")

// filter looks at bytes that have come in. It returns how many of them to hand on,
// which it leaves at the beginning of p.
func (s *FramingGuard) filter(p []byte) (n int) {
	for n < len(p) && s.stage != stageShut && !s.opaque.Load() {
		switch {
		case s.stage == stageBytes:
			n += s.skip(len(p) - n)
		case s.stage == stageStart && len(s.line) == 0 && (s.held || p[n] == '\r'):
			p = p[:n+s.passOver(p[n:])]
		default:
			n += s.readLine(p[n:])
		}
	}
	if s.opaque.Load() {
		return len(p)
	}
	return n
}

// shut reports whether nothing more is to be handed on.
func (s *FramingGuard) shut() bool {
	return s.stage == stageShut && len(s.poison) == 0 && !s.opaque.Load()
}

func (s *FramingGuard) skip(most int) int {
	n := int(min(s.left, uint64(most)))
	if s.left -= uint64(n); s.left == 0 {
		s.stage = s.next
	}
	return n
}

// passOver takes one empty line in front of a message out of p, which some clients
// send behind a body (RFC 9112 section 2.2). It returns how many bytes are left in p.
func (s *FramingGuard) passOver(p []byte) int {
	rest := p
	if !s.held {
		rest, s.held = p[1:], true
	}
	switch {
	case len(rest) == 0:
		return 0
	case s.passed || rest[0] != '\n':
		s.refuse()
		return 0
	}
	s.held, s.passed = false, true
	return copy(p, rest[1:])
}

// refuse has net/http refuse the message, and nothing of it come behind.
func (s *FramingGuard) refuse() {
	s.stage, s.poison = stageShut, poison
}

// readLine looks at the next line, when all of it is there. It returns how much of p
// to hand on: of a line that is refused, all but its end.
func (s *FramingGuard) readLine(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		s.line = append(s.line, p...) // net/http limits how long it gets
		return len(p)
	}
	line := p[:end+1]
	if len(s.line) > 0 {
		line = append(s.line, line...)
		s.line = nil
	}
	if !s.judge(line) {
		s.refuse()
		return end
	}
	return end + 1
}

// judge reports whether there is only one way to read a line, and knows then what
// comes behind it.
func (s *FramingGuard) judge(line []byte) bool {
	if s.stage == stageStart {
		s.begun++
		s.first = append(s.first[:0], line[:min(len(line), keptOfLine)]...)
	}
	if !bytes.HasSuffix(line, crlf) {
		return false // RFC 9112 section 2.2 lets a bare line feed end a line of a head; not everybody does
	}
	empty := len(line) == len(crlf)
	switch s.stage {
	case stageStart:
		if bytes.Equal(line, http2Preface) {
			s.opaque.Store(!s.later)
			return !s.later
		}
		s.head, s.later, s.passed, s.stage = messageHead{}, true, false, stageFields
		s.head.begin(line)
		return !empty
	case stageFields:
		if empty {
			return s.endHead()
		}
		return s.head.field(line)
	case stageSize:
		return s.beginChunk(line)
	}
	if empty {
		s.stage = stageStart
	}
	return !isFolded(line)
}

var crlf = []byte("\r\n")

// http2Preface begins a connection of HTTP/2 (RFC 9113 section 3.4).
var http2Preface = []byte("PRI * HTTP/2.0\r\n")

// endHead knows what body follows the head.
func (s *FramingGuard) endHead() bool {
	s.next, s.left = stageStart, s.head.length
	switch body := s.head.body(); body {
	case bodyNone:
		s.stage = stageStart
	case bodyLength:
		s.stage = stageBytes
	case bodyChunked:
		s.stage, s.next = stageSize, stageSize
	case bodyUnknown:
		s.stage = stageShut // net/http says 501
	default:
		return false
	}
	return true
}

// beginChunk knows how long the chunk is. Net/http looks at its end.
func (s *FramingGuard) beginChunk(line []byte) bool {
	size, ok := chunkSize(line)
	if !ok {
		return false
	}
	if s.stage, s.left = stageBytes, size+2; size == 0 {
		s.stage = stageTrailers
	}
	return true
}

// isFolded reports whether a line belongs to the field of the line before (obsolete
// line folding, RFC 9112 section 5.2).
func isFolded(line []byte) bool { return line[0] == ' ' || line[0] == '\t' }

// chunkSize reads the first line of a chunk (RFC 9112 section 7.1). Net/http takes
// fewer.
func chunkSize(line []byte) (size uint64, ok bool) {
	line, ok = bytes.CutSuffix(line, crlf)
	digits, extension, _ := bytes.Cut(line, []byte(";"))
	size, valid := parseNumber(bytes.TrimRight(digits, " \t"), 16)
	return size, ok && valid && !bytes.ContainsFunc(extension, isControl)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
