package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"hash/adler32"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/worker"
)

// task is a request of the Go driver and its script.
type task struct {
	*worker.Request
	id, script string
	head       *proto.Request
	gates      *gates
	next       uint64 // slot to read
	offset     int    // of the response's pattern
	fields     []proto.Field
	socket     *worker.WebSocket // nil: none is open
}

func newTask(r *worker.Request, gates *gates) *task {
	t := &task{Request: r, gates: gates, next: 2}
	head, err := r.Header()
	if err != nil {
		panic(err)
	}
	t.head = head
	for _, f := range head.Fields {
		switch f.Name {
		case "x-id":
			t.id = f.Value
		case "x-script":
			t.script = f.Value
		}
	}
	return t
}

// run carries the script out.
func (t *task) run(link int) {
	print(t.id, "begin %d", link)
	for line := range strings.SplitSeq(t.script, ";") {
		words := strings.Fields(line)
		result := resultOf(t.step(words[0], append(words[1:], "", "", "")))
		print(t.id, "%s %s", words[0], result)
		if strings.HasPrefix(result, "cancelled") {
			break
		}
	}
	t.Abort()
	print(t.id, "over")
}

// resultOf returns the suite's word for an error of the SDK.
func resultOf(err error) string {
	var cancelled *worker.CancelledError
	var format *proto.FormatError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &cancelled):
		return fmt.Sprintf("cancelled %d", cancelled.Reason)
	case errors.Is(err, worker.ErrNothingYet):
		return "nothing"
	case errors.Is(err, worker.ErrResponse), errors.As(err, &format):
		return "refused"
	case errors.Is(err, worker.ErrTooLarge):
		return "too-large"
	case errors.Is(err, shm.ErrReleased):
		return "released"
	case errors.Is(err, worker.ErrEnded):
		return "ended"
	}
	return "error " + err.Error()
}

func number(word string, otherwise int) int {
	if n, err := strconv.Atoi(word); err == nil {
		return n
	}
	return otherwise
}

// step carries one step out; README.md has the list.
func (t *task) step(verb string, args []string) error {
	ctx := context.Background()
	switch n := number(args[0], math.MaxInt); verb {
	case "read":
		return t.read(n, true)
	case "keep":
		return t.read(n, false)
	case "tail":
		slot, err := t.Tail(ctx, uint64(n))
		return t.saySlot(slot, err)
	case "look":
		slot, err := t.TryTail(uint64(n))
		return t.saySlot(slot, err)
	case "release":
		t.Release(uint64(n))
		return nil
	case "head":
		t.sayHead()
		return nil
	case "echo":
		return t.echo(n)
	case "field":
		t.addField(unescape(args[0]), unescape(args[1]))
		return nil
	case "fields":
		for range n {
			t.addField(strings.Repeat("n", number(args[1], 1)), strings.Repeat("v", number(args[2], 0)))
		}
		return nil
	case "interim":
		return t.Interim(ctx, n, t.gathered())
	case "respond":
		return t.Respond(ctx, n, t.gathered())
	case "write":
		return t.write(n, number(args[1], n))
	case "fill":
		return t.fill(n, number(args[1], math.MaxInt))
	case "flush":
		return t.Flush()
	case "trailers":
		return t.EndTrailers(ctx, t.gathered())
	case "accept":
		return t.accept()
	case "message", "part":
		return t.message(args[0], number(args[1], 0), number(args[2], math.MaxInt), verb == "message")
	case "talk":
		return t.talk()
	case "close":
		return t.close(n, args[1])
	case "end":
		return t.End(ctx)
	case "abort":
		t.Abort()
		return nil
	case "await-cancel":
		<-t.Done()
		return t.Cancelled()
	case "hold":
		select {
		case <-t.gates.gate(args[0]):
			return nil
		case <-t.Done():
			return t.Cancelled()
		}
	case "let":
		close(t.gates.gate(args[0]))
		return nil
	case "block": // calls always wait
		return nil
	}
	return errors.New("unknown step")
}

// gathered returns the gathered fields, and forgets them.
func (t *task) gathered() []proto.Field {
	fields := t.fields
	t.fields = nil
	return fields
}

func (t *task) addField(name, value string) {
	t.fields = append(t.fields, proto.Field{Name: name, Value: value})
}

func unescape(word string) string {
	text, err := url.PathUnescape(word)
	if err != nil {
		panic(err)
	}
	return text
}

func (t *task) saySlot(s worker.Slot, err error) error {
	if err != nil {
		return err
	}
	final := ""
	if s.Final {
		final = " final"
	}
	print(t.id, "slot %d %s %d %08x%s", s.Number, s.Kind, len(s.Bytes), adler32.Checksum(s.Bytes), final)
	t.sayClose(s)
	if s.Kind != worker.Trailers {
		return nil
	}
	fields, _, err := proto.ParseFields(s.Bytes, nil)
	for _, f := range fields {
		print(t.id, "trailer %s %x", f.Name, f.Value)
	}
	return err
}

func (t *task) sayHead() {
	t.Release(1)
	h := t.head
	print(t.id, "head method %x", h.Method)
	print(t.id, "head scheme %x", h.Scheme)
	print(t.id, "head authority %x", h.Authority)
	print(t.id, "head path %x", h.Path)
	client, fields := h.Client()
	if client != "" {
		print(t.id, "head client %x", client)
	}
	for _, f := range fields {
		print(t.id, "header %s %x", f.Name, f.Value)
	}
}

// take returns the next slot.
func (t *task) take() (worker.Slot, error) {
	slot, err := t.Tail(context.Background(), t.next)
	if err == nil {
		t.next++
	}
	return slot, t.saySlot(slot, err)
}

func (t *task) read(most int, release bool) error {
	for range most {
		slot, err := t.take()
		if err != nil {
			return err
		}
		if release {
			t.Release(slot.Number)
		}
		if slot.Kind == worker.End {
			break
		}
	}
	return nil
}

func (t *task) echo(piece int) error {
	for {
		if _, err := t.TryTail(t.next); err != nil {
			if err := t.Flush(); err != nil {
				return err
			}
		}
		slot, err := t.take()
		if err != nil || slot.Kind == worker.End {
			return err
		}
		for bytes := slot.Bytes; slot.Kind == worker.Body && len(bytes) > 0; {
			n, err := t.Write(bytes[:min(piece, len(bytes))])
			if err != nil {
				return err
			}
			bytes = bytes[n:]
		}
		t.Release(slot.Number)
	}
}

func (t *task) write(size, piece int) error {
	for first := true; first || size > 0; first = false {
		at := t.offset % patternPeriod
		n, err := t.Write(pattern[at : at+min(size, piece, len(pattern)-at)])
		t.offset, size = t.offset+n, size-n
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *task) fill(size, piece int) error {
	for first := true; first || size > 0; first = false {
		space, err := t.Reserve(context.Background())
		if err != nil {
			return err
		}
		n := copy(space[:min(len(space), size, piece)], pattern[t.offset%patternPeriod:])
		t.Commit(n)
		t.offset, size = t.offset+n, size-n
	}
	return nil
}
