package role

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench/load"
)

// rawRole serves bare TCP: a sink, a source, and an echo that copies through the memory of
// this process, not by splice.
func rawRole() error {
	at := RawAddresses{}
	servers := map[string]func(net.Conn) error{
		load.CaseUpload: sink, load.CaseDownload: source, load.CaseEcho: echoBytes,
	}
	for name, serve := range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		at[name] = l.Addr().String()
		go accept(l, serve)
	}
	if err := Announce(at); err != nil {
		return err
	}
	return AwaitEnd()
}

// accept serves each connection, and closes it when it ends.
func accept(l net.Listener, serve func(net.Conn) error) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = serve(conn) // the client sees it
		}()
	}
}

// The sizes of reads and writes: those that were fastest here.
const (
	sinkBuffer = 64 << 10
	echoBuffer = 32 << 10
)

// sink reads what comes in, and answers with its checksum.
func sink(conn net.Conn) error {
	var sum load.Checksum
	if _, err := io.CopyBuffer(&sum, onlyReader{conn}, make([]byte, sinkBuffer)); err != nil {
		return err
	}
	_, err := io.WriteString(conn, sum.String())
	return err
}

// source sends as many bytes as the client requests.
func source(conn net.Conn) error {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	left, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	for left > 0 && err == nil {
		n := min(left, int64(len(load.Payload)))
		_, err = conn.Write(load.Payload[:n])
		left -= n
	}
	return err
}

// echoBytes sends back what comes in.
func echoBytes(conn net.Conn) error {
	_, err := io.CopyBuffer(onlyWriter{conn}, onlyReader{conn}, make([]byte, echoBuffer))
	return err
}

// onlyReader and onlyWriter hide the methods that io.Copy would use instead of its buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
