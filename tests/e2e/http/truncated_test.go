package http_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// truncation is an upload that does not come to its end.
type truncation struct {
	name    string
	framing string
	body    string
	bytes   string // that the worker reads before it hears of it
}

// String returns the name.
func (c truncation) String() string { return c.name }

var truncations = []truncation{
	{"length", "Content-Length: 1000", strings.Repeat("x", 999), "999"},
	{"length, nothing sent", "Content-Length: 1000", "", "0"},
	{"long length", "Content-Length: 1000000", strings.Repeat("x", 300000), "300000"},
	{"chunk", "Transfer-Encoding: chunked", "a\r\n12345", "5"},
	{"after a chunk", "Transfer-Encoding: chunked", "5\r\n12345\r\n", "5"},
	{"in the last chunk", "Transfer-Encoding: chunked", "5\r\n12345\r\n0\r\n", "5"},
	{"in the trailers", "Transfer-Encoding: chunked", "5\r\n12345\r\n0\r\nSum: 1\r\n", "5"},
}

func TestATruncatedUploadNeverLooksCompleteToTheWorker(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	for _, end := range []string{"closed", "half closed", "reset"} {
		e2etest.Together(t, truncations, func(t *testing.T, cut truncation) {
			id := strings.NewReplacer(" ", "-", ",", "").Replace(cut.name + "-" + end)
			c := rawclient.Dial(t, s.Addr)
			c.Begin("POST", "/upload?id="+id, cut.framing)
			c.Send(cut.body)
			c.AwaitRead()
			worker.AwaitSaid(t, ">> POST /upload?id="+id) // or it would never hear of the request
			c.Leave(end)
			worker.AwaitSaid(t, "upload "+id+": "+cut.bytes+" bytes, worker: request cancelled: client gone")
		})
	}
	s.AwaitRest(t)
	if got := s.Router.Stats(); got.ClientGone != int64(3*len(truncations)) || got.Lost != 0 {
		t.Errorf("%d clients are counted as gone, want %d; %d links were lost", got.ClientGone,
			3*len(truncations), got.Lost)
	}
	e2etest.WantCalm(t, s)
}

func TestAMalformedChunkNeverLooksLikeAnEndToTheWorker(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	e2etest.Together(t, []truncation{
		{"size", "", "xyz\r\n", "5"}, {"longer", "", "5\r\n123456789", "10"},
		{"overflow", "", "fffffffffffffffff\r\n", "5"}, {"trailer", "", "0\r\nno field\r\n\r\n", "5"},
	}, func(t *testing.T, cut truncation) {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/upload?id="+cut.name, "Transfer-Encoding: chunked")
		c.Chunk("12345")
		worker.AwaitSaid(t, ">> POST /upload?id="+cut.name)
		c.Send(cut.body)
		c.Want("POST", http.StatusBadRequest)
		c.WantClosed()
		worker.AwaitSaid(t, "upload "+cut.name+": "+cut.bytes+" bytes, worker: request cancelled: client gone")
	})
	e2etest.WantCalm(t, s)
}

func TestATruncatedUploadWhoseResponseHasBegunIsBrokenOff(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/echo?id=begun", "Content-Length: 100")
	c.Send("12345")
	response := c.Response("POST")
	c.Expect(response.Body, "12345")
	_ = c.Conn.CloseWrite()
	c.WantBroken(response)
	worker.AwaitSaid(t, "echo begun: 5 bytes, worker: request cancelled: client gone")
}
