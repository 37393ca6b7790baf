package h3_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// frame returns a frame of HTTP/3.
func frame(kind uint64, payload ...byte) []byte { return rawclient.Frame(kind, payload) }

// settings returns a SETTINGS frame; identifiers and values take turns.
func settings(pairs ...uint64) []byte {
	var payload []byte
	for _, n := range pairs {
		payload = quicvarint.Append(payload, n)
	}
	return frame(rawclient.FrameSettings, payload...)
}

// headers returns a HEADERS frame; names and values take turns.
func headers(fields ...string) []byte { return rawclient.Head(fields...) }

// get returns the HEADERS of a request that is in order, and more fields.
func get(more ...string) []byte {
	return headers(append([]string{":method", "GET", ":scheme", "https", ":authority", "test", ":path", "/"},
		more...)...)
}

// saying is what a client says, stream for stream.
type saying struct {
	control [][]byte // on the control stream, and on others that claim to be one; nil: SETTINGS
	streams [][]byte // on unidirectional streams, with their types
	ended   [][]byte // the same, which then end
	request []byte   // on a request's stream; nil: there is none
	open    bool     // the request does not end
}

// said is what comes of it.
type said struct {
	status string // of the response
	reset  *quic.StreamError
	closed *quic.ApplicationError
}

func (s said) String() string {
	switch {
	case s.closed != nil:
		return fmt.Sprintf("the connection closed with %v", http3.ErrCode(s.closed.ErrorCode))
	case s.reset != nil:
		return fmt.Sprintf("the stream was reset with %v", http3.ErrCode(s.reset.ErrorCode))
	case s.status != "":
		return "status " + s.status
	}
	return "nothing"
}

// silence is how long nothing has to come from the server to be taken for nothing,
// where nothing is what should or will come.
const silence = 300 * time.Millisecond

// say says it on a connection of its own, and waits for so long for its end.
func say(t *testing.T, e *harness.Secure, words *saying, patience time.Duration) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	conn := rawclient.DialQUIC(t, e)
	defer func() { _ = conn.CloseWithError(0, "") }()
	control := words.control
	if control == nil {
		control = [][]byte{settings()}
	}
	for _, b := range control {
		uni(t, conn, append([]byte{rawclient.StreamControl}, b...), false)
	}
	for _, b := range words.streams {
		uni(t, conn, b, false)
	}
	for _, b := range words.ended {
		uni(t, conn, b, true)
	}
	var answer said
	if words.request != nil {
		answer = words.ask(t, ctx, conn)
	}
	answer.await(conn, patience)
	return answer
}

// uni says something on a unidirectional stream.
func uni(t *testing.T, conn *quic.Conn, b []byte, end bool) {
	t.Helper()
	stream, err := conn.OpenUniStream()
	harness.Check(t, err)
	_, _ = stream.Write(b) // the connection may be closed already, which is looked at later
	if end {
		_ = stream.Close()
	}
}

// ask sends the request and reads the response.
func (words *saying) ask(t *testing.T, ctx context.Context, conn *quic.Conn) (answer said) {
	t.Helper()
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return answer
	}
	harness.Check(t, stream.SetDeadline(time.Now().Add(harness.Patience)))
	_, _ = stream.Write(words.request)
	if !words.open {
		_ = stream.Close()
	}
	status, err := rawclient.ReadStatus(stream)
	answer.status = status
	var reset *quic.StreamError
	if errors.As(err, &reset) {
		answer.reset = reset
	}
	return answer
}

// await waits for the end of the connection.
func (s *said) await(conn *quic.Conn, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-conn.Context().Done():
	case <-timer.C:
		return
	}
	var closed *quic.ApplicationError
	if errors.As(context.Cause(conn.Context()), &closed) && closed.Remote {
		s.closed = closed
	}
}
