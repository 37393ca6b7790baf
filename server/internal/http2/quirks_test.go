package http2

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// newServer returns a server of HTTP/2 in the clear, and its address.
func newServer(t *testing.T, handler http.HandlerFunc) (server *httptest.Server, address string) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.HTTP2 = Config(10, time.Minute)
	server.Start()
	t.Cleanup(server.Close)
	return server, server.Listener.Addr().String()
}

// newClient returns a client of such a server.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), ExpectContinueTimeout: time.Minute}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestTheServerOffersExtendedCONNECT(t *testing.T) {
	_, address := newServer(t, nil)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	const emptySettings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+emptySettings); err != nil {
		t.Fatal(err)
	}
	settings := readSettings(t, conn)
	const enableConnectProtocol = 8 // RFC 8441 section 3
	if settings[enableConnectProtocol] != 1 {
		t.Errorf("the settings are %v: does net/http read GODEBUG elsewhere, or earlier?", settings)
	}
	if strings.Contains(os.Getenv("GODEBUG"), "http2xconnect") {
		t.Error("GODEBUG has not its old value")
	}
}

// readSettings reads the first frame of a server.
func readSettings(t *testing.T, conn io.Reader) map[uint16]uint32 {
	t.Helper()
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("the first frame is % x (%v)", head, err)
	}
	payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, payload); err != nil {
		t.Fatal(err)
	}
	settings := map[uint16]uint32{}
	for ; len(payload) >= 6; payload = payload[6:] {
		settings[binary.BigEndian.Uint16(payload)] = binary.BigEndian.Uint32(payload[2:])
	}
	return settings
}

func TestWhetherAClientWaitsForContinueIsSeenInTheBody(t *testing.T) {
	for _, waits := range []bool{true, false} {
		type seen struct {
			awaits bool
			expect string
		}
		requests := make(chan seen, 1)
		server, _ := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
			requests <- seen{AwaitsContinue(r.Body), r.Header.Get("Expect")}
			_, _ = io.Copy(io.Discard, r.Body)
		})
		request, err := http.NewRequest(http.MethodPut, server.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if waits {
			request.Header.Set("Expect", "100-continue")
		}
		response, err := newClient(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		got := <-requests
		if got.awaits != waits {
			t.Errorf("waits %v: seen as %v: has net/http's body no needsContinue any more?", waits, got.awaits)
		}
		if got.expect != "" {
			t.Errorf("net/http leaves the Expect field there (%q): AwaitsContinue can go", got.expect)
		}
	}
}

func TestABodyWithoutTheFieldIsTakenToWait(t *testing.T) {
	if !AwaitsContinue(struct{ io.ReadCloser }{}) {
		t.Error("it is not")
	}
}
