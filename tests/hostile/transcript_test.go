package hostile_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// transcript is what a client saw of a row.
type transcript struct {
	answers []answer
	interim []int // statuses
	open    bool  // the server has not closed the connection
}

// answer is a response.
type answer struct {
	status int    // 0: not that of HTTP
	seen   string // the target of the request that it answers; empty: not a witness's
}

// door opens a connection to a server.
type door func(t testing.TB) net.Conn

// patience is how long the client waits for the server to close a connection.
const patience = harness.Patience

// converse sends the texts on a connection of their own, and reads until the server
// closes it. With end, the client says that it will send no more.
func converse(t testing.TB, open door, end bool, texts ...string) transcript {
	t.Helper()
	conn := open(t)
	defer conn.Close()
	harness.Check(t, conn.SetDeadline(time.Now().Add(patience)))
	sent := make(chan struct{})
	go func() { // the server may answer before it has read all
		defer close(sent)
		for _, text := range texts {
			if _, err := io.WriteString(conn, text); err != nil {
				return // it has closed the connection
			}
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok && end {
			_ = half.CloseWrite()
		}
	}()
	heard := listen(conn, headAt(strings.Join(texts, "")))
	_ = conn.Close()
	<-sent
	return heard
}

// headAt returns which of the requests is HEAD, whose response has no body.
func headAt(text string) int {
	switch before, _, found := strings.Cut(text, "HEAD /"); {
	case found && before == "":
		return 0
	case found && strings.HasSuffix(before, "ahead"):
		return 1
	}
	return -1
}

// listen reads responses until the connection ends. One of them may be to HEAD.
func listen(conn io.Reader, head int) (heard transcript) {
	r := bufio.NewReader(conn)
	for {
		if _, err := r.Peek(1); err != nil {
			heard.open = isTimeout(err)
			return heard
		}
		request := &http.Request{Method: http.MethodGet}
		if len(heard.answers) == head {
			request.Method = http.MethodHead
		}
		response, err := http.ReadResponse(r, request)
		if err != nil {
			_, err = io.Copy(io.Discard, r)
			heard.answers, heard.open = append(heard.answers, answer{}), isTimeout(err)
			return heard
		}
		if response.StatusCode < http.StatusOK {
			heard.interim = append(heard.interim, response.StatusCode)
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		heard.answers = append(heard.answers, answer{response.StatusCode, response.Header.Get(seenField)})
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
