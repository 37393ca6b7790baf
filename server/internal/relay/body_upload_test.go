package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// answerEarly is a handler that sends its response before the upload has come.
func answerEarly(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	_ = controller.EnableFullDuplex()
	w.Header().Set("Content-Length", "4")
	w.WriteHeader(http.StatusConflict)
	_, _ = io.WriteString(w, "late")
	u := &bodyUpload{
		request: r, writer: w, progress: new(progress.Exchange), session: &protocol.Session{Pipelined: true},
		early: earlyAnswer{at: time.Now().Add(-time.Minute), flush: controller.Flush}, done: make(chan struct{}),
	}
	u.hold(controller) // nothing more comes
}

func TestAnEarlyResponseSaysThatTheConnectionClosesIfTheRestIsTooLong(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(answerEarly))
	defer server.Close()
	for length, closes := range map[int]bool{1: false, conn.LingerBytes: false, conn.LingerBytes + 1: true} {
		client, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n", length)
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.Close != closes {
			t.Errorf("%d bytes are to come: the response says that the connection closes: %v", length, response.Close)
		}
		_ = client.Close()
	}
}
