package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// FirstBytes measures, over one connection, for a period and at least once, the time from a
// request to the first byte of a streaming response: the worker sends a piece, and continues
// when it has the body of the request, which the client sends only after that piece has come.
func FirstBytes(t *Target, period time.Duration) (*Latencies, error) {
	open := firstOfLibrary
	if t.plain() {
		open = firstOfConn
	}
	first, closeIt, err := open(t)
	if err != nil {
		return nil, err
	}
	defer closeIt()
	l := &Latencies{}
	begun := time.Now()
	for l.Count() == 0 || time.Since(begun) < period {
		took, err := first()
		if err != nil {
			return nil, err
		}
		l.list = append(l.list, took)
	}
	return l.finish(begun), nil
}

// firstBytes is one such measurement.
type firstBytes func() (time.Duration, error)

func firstOfConn(t *Target) (firstBytes, func(), error) {
	conn, err := t.dial()
	if err != nil {
		return nil, nil, err
	}
	head, reader, buffer := t.request("POST", "/first", 1), bufio.NewReader(conn), make([]byte, responseBytes)
	first := func() (time.Duration, error) {
		_ = conn.SetDeadline(time.Now().Add(timeout))
		begun := time.Now()
		if _, err := conn.Write(head); err != nil {
			return 0, err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return 0, err
		}
		if response.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%w: %s", errAnswer, response.Status)
		}
		if err := readFirst(response.Body, buffer); err != nil {
			return 0, err
		}
		took := time.Since(begun)
		if _, err := conn.Write(Payload[:1]); err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return took, err
	}
	return first, func() { _ = conn.Close() }, nil
}

// readFirst waits for the first byte.
func readFirst(r io.Reader, buffer []byte) error {
	n, err := r.Read(buffer)
	if n > 0 {
		return nil
	}
	return fmt.Errorf("no first byte: %w", err)
}

func firstOfLibrary(t *Target) (firstBytes, func(), error) {
	l, err := newLibrary(t)
	if err != nil {
		return nil, nil, err
	}
	buffer := make([]byte, responseBytes)
	first := func() (time.Duration, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		body, rest := io.Pipe()
		defer rest.Close()
		begun := time.Now()
		response, err := l.do(ctx, "POST", "/first", body, 1)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		if err := readFirst(response.Body, buffer); err != nil {
			return 0, err
		}
		took := time.Since(begun)
		if _, err := rest.Write(Payload[:1]); err != nil {
			return 0, err
		}
		_ = rest.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return took, err
	}
	return first, l.close, nil
}
