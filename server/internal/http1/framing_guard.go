package http1

import (
	"bytes"
	"strings"
	"sync/atomic"
)

// FramingGuard follows the bytes of an HTTP/1 connection from one message to the next and
// rejects messages that recipients may read in different ways: whoever finds the end of a
// body somewhere else finds a request there that nobody sent (request smuggling). Net/http
// reads such messages in some way, and does not tell.
//
// The guard leaves to net/http what net/http refuses. The two have to agree where each
// message ends in everything that both let through.
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

	begun  int    // messages
	first  []byte // the beginning of the first line of the latest one
	accept []byte // Accept fields of that message, with commas between them

	later  bool // not the first message of the connection
	passed bool // an empty line in front of the message was left out
	held   bool // the carriage return of one came, and nothing after it

	http2  bool        // what comes is HTTP/2, from the beginning
	reject []byte      // rejectBytes, as far as net/http has not read them
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

// rejectBytes make net/http refuse the message that they are in, at once: NUL may be neither
// in a head nor in trailers, the line of a chunk does not end in a bare line feed, and they
// are as long as what net/http waits for before it looks: a preface of HTTP/2, or two line
// ends.
var rejectBytes = []byte(strings.Repeat("\x00", 24) + "\n\r\n\r\n")

// filter looks at bytes that have come in. It returns how many of them to hand on, and
// leaves those at the beginning of p.
func (g *FramingGuard) filter(p []byte) (n int) {
	for n < len(p) && g.stage != stageShut && !g.opaque.Load() {
		switch {
		case g.stage == stageBytes:
			n += g.skip(len(p) - n)
		case g.stage == stageStart && len(g.line) == 0 && (g.held || p[n] == '\r'):
			p = p[:n+g.dropEmptyLine(p[n:])]
		default:
			n += g.readLine(p[n:])
		}
	}
	if g.opaque.Load() {
		return len(p)
	}
	return n
}

// shut reports whether nothing more is to be handed on.
func (g *FramingGuard) shut() bool {
	return g.stage == stageShut && len(g.reject) == 0 && !g.opaque.Load()
}

func (g *FramingGuard) skip(most int) int {
	n := int(min(g.left, uint64(most)))
	if g.left -= uint64(n); g.left == 0 {
		g.stage = g.next
	}
	return n
}

// dropEmptyLine takes one empty line in front of a message out of p, which some clients send
// after a body (RFC 9112 section 2.2). It returns how many bytes are left in p.
func (g *FramingGuard) dropEmptyLine(p []byte) int {
	rest := p
	if !g.held {
		rest, g.held = p[1:], true
	}
	switch {
	case len(rest) == 0:
		return 0
	case g.passed || rest[0] != '\n':
		g.refuse()
		return 0
	}
	g.held, g.passed = false, true
	return copy(p, rest[1:])
}

// refuse makes net/http refuse the message, and lets nothing of it through after that.
func (g *FramingGuard) refuse() {
	g.stage, g.reject = stageShut, rejectBytes
}

// readLine looks at the next line, when all of it is there. It returns how much of p to hand
// on: of a line that is refused, all but the line feed.
func (g *FramingGuard) readLine(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		g.line = append(g.line, p...) // net/http limits how long it gets
		return len(p)
	}
	line := p[:end+1]
	if len(g.line) > 0 {
		line = append(g.line, line...)
		g.line = nil
	}
	if !g.acceptLine(line) {
		g.refuse()
		return end
	}
	return end + 1
}

// acceptLine reports whether there is only one way to read a line, and knows then what
// follows it.
func (g *FramingGuard) acceptLine(line []byte) bool {
	if g.stage == stageStart {
		g.begun++
		g.first = append(g.first[:0], line[:min(len(line), loggedBytes)]...)
	}
	line, ok := bytes.CutSuffix(line, crlf)
	if !ok {
		return false // RFC 9112 section 2.2 lets a bare line feed end a line of a head; not every recipient does
	}
	switch g.stage {
	case stageStart:
		return g.startMessage(line)
	case stageFields:
		if len(line) == 0 {
			return g.endHead()
		}
		g.noteAccept(line)
		return g.head.addField(line)
	case stageSize:
		return g.beginChunk(line)
	}
	if len(line) == 0 {
		g.stage = stageStart
	}
	return !isFolded(line)
}

var crlf = []byte("\r\n")

// http2Preface begins a connection of HTTP/2 (RFC 9113 section 3.4).
const http2Preface = "PRI * HTTP/2.0"

// startMessage reads the first line of a message.
func (g *FramingGuard) startMessage(line []byte) bool {
	if string(line) == http2Preface {
		g.http2 = !g.later
		g.opaque.Store(!g.later)
		return !g.later
	}
	g.head, g.later, g.passed, g.stage = messageHead{}, true, false, stageFields
	g.accept = g.accept[:0]
	g.head.start(line)
	return len(line) > 0
}

// endHead knows what body follows the head.
func (g *FramingGuard) endHead() bool {
	g.next, g.left = stageStart, g.head.length
	switch g.head.body() {
	case bodyNone:
		g.stage = stageStart
	case bodyLength:
		g.stage = stageBytes
	case bodyChunked:
		g.stage, g.next = stageSize, stageSize
	case bodyUnknown:
		g.stage = stageShut // net/http says 501
	default:
		return false
	}
	return true
}

// beginChunk knows how long the chunk is. Net/http looks at the end of it.
func (g *FramingGuard) beginChunk(line []byte) bool {
	size, ok := chunkSize(line)
	if !ok {
		return false
	}
	if g.stage, g.left = stageBytes, size+uint64(len(crlf)); size == 0 {
		g.stage = stageTrailers
	}
	return true
}

// chunkSize reads the first line of a chunk (RFC 9112 section 7.1). Net/http takes fewer.
func chunkSize(line []byte) (size uint64, ok bool) {
	digits, extension, _ := cut(line, ';')
	size, ok = parseNumber(bytes.TrimRight(digits, " \t"), 16)
	return size, ok && all(extension, charValue)
}

// betweenMessages reports whether all of a message has come in, and nothing after it.
func (g *FramingGuard) betweenMessages() bool {
	return g.stage == stageStart && len(g.line) == 0 && !g.held || g.stage == stageShut
}

// loggedBytes is how much of the first line of a message is kept for the log.
const loggedBytes = 256

// inTarget reports whether the first line of a message has come as far as the target, and
// not further.
func (g *FramingGuard) inTarget() bool {
	return g.stage == stageStart && bytes.IndexByte(g.line[:min(len(g.line), loggedBytes)], ' ') > 0
}

// acceptBytes is how much of the Accept fields of a message is kept for the answer to a refused
// one: more than browsers send.
const acceptBytes = 256

// noteAccept keeps the value of an Accept field that has room.
func (g *FramingGuard) noteAccept(line []byte) {
	const name = "accept:"
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return
	}
	if _, value, _ := cutField(line); len(g.accept)+len(value) < acceptBytes {
		g.accept = append(append(g.accept, value...), ',')
	}
}

// acceptFields returns the Accept fields of the latest message that have come; nil: none.
func (g *FramingGuard) acceptFields() []string {
	if len(g.accept) == 0 || g.stage == stageStart && g.inTarget() {
		return nil
	}
	return []string{string(g.accept)}
}

// requestLine returns the method and the path of the latest message, as they stand there.
func (g *FramingGuard) requestLine() (method, path string) {
	line := g.first
	if g.inTarget() {
		line = g.line[:min(len(g.line), loggedBytes)]
	}
	method, target, _, _ := cutRequestLine(strings.TrimRight(string(line), "\r\n"))
	path, _, _ = strings.Cut(target, "?")
	return method, path
}
