package rawclient

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// Transcript is what a client has read on a connection of HTTP/1.1, up to its end.
type Transcript struct {
	Answers []Answer
	Interim []int // statuses
	Open    bool  // the server has not closed the connection
}

// Answer is a final response.
type Answer struct {
	Status int // 0: not that of HTTP
	Header http.Header
}

// Converse sends the texts and reads until the server closes the connection. With end, the
// client then closes its sending side. The request with the index head is HEAD; -1: none is.
func Converse(t testing.TB, conn net.Conn, head int, end bool, texts ...string) Transcript {
	t.Helper()
	harness.Check(t, conn.SetDeadline(time.Now().Add(harness.Patience)))
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
	heard := Listen(conn, head)
	_ = conn.Close()
	<-sent
	return heard
}

// Listen reads responses until the connection ends. That with the index head answers HEAD.
func Listen(conn io.Reader, head int) (heard Transcript) {
	r := bufio.NewReader(conn)
	for {
		if _, err := r.Peek(1); err != nil {
			heard.Open = IsTimeout(err)
			return heard
		}
		request := &http.Request{Method: http.MethodGet}
		if len(heard.Answers) == head {
			request.Method = http.MethodHead
		}
		response, err := http.ReadResponse(r, request)
		if err != nil {
			_, err = io.Copy(io.Discard, r)
			heard.Answers, heard.Open = append(heard.Answers, Answer{}), IsTimeout(err)
			return heard
		}
		if response.StatusCode < http.StatusOK {
			heard.Interim = append(heard.Interim, response.StatusCode)
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		heard.Answers = append(heard.Answers, Answer{response.StatusCode, response.Header})
	}
}
