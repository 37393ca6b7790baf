package bench

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench/load"
)

// rawAddresses is where the servers without HTTP listen, by what they do.
type rawAddresses map[string]string

// rawRole serves bare TCP: what takes bytes, what gives them, and what sends them
// back, by way of memory of the process: not by splice.
func rawRole() error {
	at := rawAddresses{}
	for name, serve := range map[string]func(net.Conn) error{load.CaseUpload: swallow, load.CaseDownload: pour, load.CaseEcho: giveBack} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		at[name] = l.Addr().String()
		go accept(l, serve)
	}
	if err := announce(at); err != nil {
		return err
	}
	return awaitEnd()
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

// How much is read and written at once: what was fastest here.
const (
	swallowBytes = 64 << 10
	echoBytes    = 32 << 10
)

// swallow reads what comes in, and answers with its checksum.
func swallow(conn net.Conn) error {
	var sum load.Checksum
	if _, err := io.CopyBuffer(&sum, onlyReader{conn}, make([]byte, swallowBytes)); err != nil {
		return err
	}
	_, err := io.WriteString(conn, sum.String())
	return err
}

// pour sends as many bytes as the client asks for.
func pour(conn net.Conn) error {
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

// giveBack sends back what comes in.
func giveBack(conn net.Conn) error {
	_, err := io.CopyBuffer(onlyWriter{conn}, onlyReader{conn}, make([]byte, echoBytes))
	return err
}

// onlyReader and onlyWriter hide what io.Copy would use in the place of its buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
