package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Holder holds streaming responses that send nothing for now.
type Holder struct{ close []func() }

// streamsPerConnection is how many of them share an HTTP/2 or HTTP/3 connection.
const streamsPerConnection = 100

// Hold opens streams, and waits for the first bytes of each. Release: Drop.
func (h *Holder) Hold(t *Target, streams int) error {
	hold := h.holdMany
	if t.plain() {
		hold = h.holdOne
	}
	for left := streams; left > 0; {
		n, err := hold(t, left)
		if err != nil {
			return fmt.Errorf("with %d of %d open: %w", streams-left, streams, err)
		}
		left -= n
	}
	return nil
}

// Drop closes all of them.
func (h *Holder) Drop() {
	for _, f := range h.close {
		f()
	}
	h.close = nil
}

// holdOne opens an HTTP/1.1 connection for one stream.
func (h *Holder) holdOne(t *Target, _ int) (int, error) {
	conn, err := t.dial()
	if err != nil {
		return 0, err
	}
	h.close = append(h.close, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := conn.Write(t.request("GET", "/idle", -1)); err != nil {
		return 0, err
	}
	return 1, awaitHello(conn)
}

// awaitHello reads until the first piece of the body has come.
func awaitHello(conn net.Conn) error {
	for buffer, have := make([]byte, responseBytes), 0; have < len(buffer); {
		n, err := conn.Read(buffer[have:])
		have += n
		if containsHello(buffer[:have]) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w after %.200q", err, buffer[:have])
		}
	}
	return errAnswer
}

// holdMany opens an HTTP/2 or HTTP/3 connection for several streams.
func (h *Holder) holdMany(t *Target, most int) (int, error) {
	l, err := newLibrary(t)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.close = append(h.close, func() { cancel(); l.close() })
	n := min(most, streamsPerConnection)
	failed := make(chan error, n)
	for range n {
		go func() { failed <- l.hold(ctx) }()
	}
	for range n {
		err = errors.Join(err, <-failed)
	}
	return n, err
}

func (l *library) hold(ctx context.Context) error {
	response, err := l.do(ctx, "GET", "/idle", nil, 0)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(response.Body, make([]byte, len(Hello)))
	return err
}
