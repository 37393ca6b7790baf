package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// What a client can do to an upload so that it does not come to its end.
var truncations = []struct {
	name    string
	framing string
	body    string
	bytes   string // that the worker reads before it hears of it
}{
	{"length", "Content-Length: 1000", strings.Repeat("x", 999), "999"},
	{"length, nothing sent", "Content-Length: 1000", "", "0"},
	{"long length", "Content-Length: 1000000", strings.Repeat("x", 300000), "300000"},
	{"chunk", "Transfer-Encoding: chunked", "a\r\n12345", "5"},
	{"after a chunk", "Transfer-Encoding: chunked", "5\r\n12345\r\n", "5"},
	{"in the last chunk", "Transfer-Encoding: chunked", "5\r\n12345\r\n0\r\n", "5"},
	{"in the trailers", "Transfer-Encoding: chunked", "5\r\n12345\r\n0\r\nSum: 1\r\n", "5"},
}

func TestATruncatedUploadNeverLooksCompleteToTheWorker(t *testing.T) {
	s, worker := startBoth(t, nil)
	for _, test := range truncations {
		for _, end := range []string{"closed", "half closed", "reset"} {
			t.Run(test.name+" "+end, func(t *testing.T) {
				id := strings.NewReplacer(" ", "-", ",", "").Replace(test.name + "-" + end)
				c := dial(t, s.Addr)
				c.begin("POST", "/upload?id="+id, test.framing)
				c.send(test.body)
				c.awaitRead()
				worker.awaitSaid(">> POST /upload?id=" + id) // or it would never hear of the request
				switch end {
				case "closed":
					_ = c.conn.Close()
				case "half closed":
					_ = c.conn.CloseWrite()
					c.want("POST", http.StatusBadRequest)
					c.wantClosed()
				case "reset":
					_ = c.conn.SetLinger(0)
					_ = c.conn.Close()
				}
				worker.awaitSaid("upload " + id + ": " + test.bytes + " bytes, worker: request cancelled: client gone")
			})
		}
	}
	if got := s.Router.Stats(); got.ClientGone != int64(3*len(truncations)) || got.Lost != 0 {
		t.Errorf("%d clients are counted as gone, want %d; %d links were lost", got.ClientGone, 3*len(truncations), got.Lost)
	}
	wantCalm(t, s)
}

func TestAMalformedChunkNeverLooksLikeAnEndToTheWorker(t *testing.T) {
	s, worker := startBoth(t, nil)
	for id, rest := range map[string]string{
		"size": "xyz\r\n", "longer": "5\r\n123456789", "overflow": "fffffffffffffffff\r\n", "trailer": "0\r\nno field\r\n\r\n",
	} {
		c := dial(t, s.Addr)
		c.begin("POST", "/upload?id="+id, "Transfer-Encoding: chunked")
		c.chunk("12345")
		worker.awaitSaid(">> POST /upload?id=" + id)
		c.send(rest)
		c.want("POST", http.StatusBadRequest)
		c.wantClosed()
		worker.awaitSaid("upload " + id + ": " + map[bool]string{true: "10", false: "5"}[id == "longer"] + " bytes, worker: request cancelled: client gone")
	}
	wantCalm(t, s)
}

func TestATruncatedUploadWhoseResponseHasBegunIsBrokenOff(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/echo?id=begun", "Content-Length: 100")
	c.send("12345")
	response := c.response("POST")
	c.expect(response.Body, "12345")
	_ = c.conn.CloseWrite()
	c.wantBroken(response)
	worker.awaitSaid("echo begun: 5 bytes, worker: request cancelled: client gone")
}
