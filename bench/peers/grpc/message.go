package main

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// message is what goes through a stream: a head as JSON first, each way, and then the
// bytes of the body as they are. Protocol Buffers would only add to that.
type message []byte

// head is the first message: of a request, or of a response.
type head struct {
	Method string              `json:",omitempty"`
	Path   string              `json:",omitempty"` // with the query
	Length int64               `json:",omitempty"` // of the body; -1: unknown
	Status int                 `json:",omitempty"`
	Header map[string][]string `json:",omitempty"`
}

// pieceBytes is the most bytes of a body in one message: a slot.
const pieceBytes = 64 << 10

// rawCodec passes messages as they are.
type rawCodec struct{}

// Marshal returns the bytes of a message.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(message)
	if !ok {
		return nil, fmt.Errorf("not a message: %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(m)}, nil
}

// Unmarshal copies the bytes of a message.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("not a message: %T", v)
	}
	if n := data.Len(); cap(*m) < n {
		*m = make(message, n)
	} else {
		*m = (*m)[:n]
	}
	data.CopyTo(*m)
	return nil
}

// Name names the codec.
func (rawCodec) Name() string { return "raw" }

const methodName = "/bench.Exchange/Do"

// service is what the worker offers.
var service = grpc.ServiceDesc{
	ServiceName: "bench.Exchange", HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Do", Handler: serve, ServerStreams: true, ClientStreams: true}},
}

func receiveHead(receive func(any) error) (h head, err error) {
	var m message
	if err := receive(&m); err != nil {
		return h, err
	}
	return h, json.Unmarshal(m, &h)
}

func sendHead(send func(any) error, h head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return send(message(text))
}

// body reads the messages of a body.
type body struct {
	receive func(any) error
	last    message
	rest    []byte
}

// Read returns the next bytes.
func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if err := b.receive(&b.last); err != nil {
			return 0, err
		}
		b.rest = b.last
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close does nothing: the stream ends with the call.
func (b *body) Close() error { return nil }
