package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The sizes of writes and reads.
const (
	writeBytes = payloadBytes
	readBytes  = 256 << 10
)

// Upload sends a body of size bytes, and returns how long it took until the answer had
// come, with the checksum of the bytes that the worker read.
func Upload(t *Target, size int64) (time.Duration, error) {
	if !t.plain() {
		return libraryUpload(t, size)
	}
	return overConn(t, func(conn net.Conn) error {
		if err := send(conn, t, "/upload", size); err != nil {
			return err
		}
		want := ChecksumOf(size)
		return readAnswer(conn, t, &want)
	})
}

// Download receives a body of size bytes.
func Download(t *Target, size int64) (time.Duration, error) {
	if !t.plain() {
		return libraryDownload(t, size)
	}
	return overConn(t, func(conn net.Conn) error {
		head := fmt.Appendf(nil, "%d\n", size)
		if t.Protocol != Raw {
			head = t.request("GET", fmt.Sprintf("/download?bytes=%d", size), -1)
		}
		if _, err := conn.Write(head); err != nil {
			return err
		}
		return receive(conn, t, size)
	})
}

// Echo sends a body of size bytes, and receives it at the same time.
func Echo(t *Target, size int64) (time.Duration, error) {
	if !t.plain() {
		return libraryEcho(t, size)
	}
	return overConn(t, func(conn net.Conn) error {
		sent := make(chan error, 1)
		go func() { sent <- send(conn, t, "/echo", size) }()
		err := receive(conn, t, size)
		if err != nil {
			_ = conn.Close() // or the sender would not end
		}
		return errors.Join(err, <-sent)
	})
}

// overConn measures how long an exchange over a new connection takes.
func overConn(t *Target, do func(net.Conn) error) (time.Duration, error) {
	conn, err := t.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	begun := time.Now()
	err = do(conn)
	return time.Since(begun), err
}

// send sends a body, and before it the head of a request if the protocol is HTTP. A raw
// body ends when the sending side of the connection is closed.
func send(conn net.Conn, t *Target, path string, size int64) error {
	if t.Protocol != Raw {
		if _, err := conn.Write(t.request("POST", path, size)); err != nil {
			return err
		}
	}
	for left := size; left > 0; left -= writeBytes {
		_ = conn.SetWriteDeadline(time.Now().Add(timeout))
		if _, err := conn.Write(Payload[:min(left, writeBytes)]); err != nil {
			return err
		}
	}
	if t.Protocol != Raw {
		return nil
	}
	return conn.(interface{ CloseWrite() error }).CloseWrite()
}

// readAnswer reads the answer to an upload.
func readAnswer(conn net.Conn, t *Target, want *Checksum) error {
	_ = conn.SetReadDeadline(time.Now().Add(timeout))
	if t.Protocol == Raw {
		answer, err := io.ReadAll(conn)
		return checkAnswer(answer, err, want)
	}
	body, rest, err := readHead(conn)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, body-int64(len(rest))))
	return checkAnswer(append(rest, answer...), err, want)
}

// checkAnswer compares the answer with the expected checksum. A worker in a language that
// is slow at adding up may answer with only the number of bytes.
func checkAnswer(answer []byte, err error, want *Checksum) error {
	if err != nil {
		return err
	}
	if text := string(answer); text != want.String() && text != fmt.Sprintf("%d\n", want.Bytes) {
		return fmt.Errorf("%w: %.200q, want %q", errAnswer, answer, want)
	}
	return nil
}

// readHead reads the head of a response, and the bytes of the body that come with it.
func readHead(conn net.Conn) (body int64, rest []byte, err error) {
	buffer, have := make([]byte, 64<<10), 0
	for {
		n, err := conn.Read(buffer[have:])
		have += n
		head, body, wrong := parseHead(buffer[:have])
		if wrong != nil || head > 0 {
			return body, buffer[head:have], wrong
		}
		if err != nil {
			return 0, nil, fmt.Errorf("%w after %.200q", err, buffer[:have])
		}
	}
}

// receive receives a body.
func receive(conn net.Conn, t *Target, size int64) error {
	var sum Checksum
	if t.Protocol != Raw {
		body, rest, err := readHead(conn)
		if err != nil {
			return err
		}
		if body != size {
			return fmt.Errorf("%w: a body of %d bytes, want %d", errAnswer, body, size)
		}
		_, _ = sum.Write(rest)
	}
	return receiveRest(conn, &sum, size)
}

func receiveRest(r io.Reader, sum *Checksum, size int64) error {
	conn, _ := r.(net.Conn)
	for buffer := make([]byte, readBytes); sum.Bytes < size; {
		if conn != nil {
			_ = conn.SetReadDeadline(time.Now().Add(timeout))
		}
		n, err := r.Read(buffer)
		_, _ = sum.Write(buffer[:n])
		if err != nil && sum.Bytes < size {
			return err
		}
	}
	return sum.check(size)
}
