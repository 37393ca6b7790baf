package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
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
	s, worker := startBoth(t, nil)
	for _, end := range []string{"closed", "half closed", "reset"} {
		together(t, truncations, func(t *testing.T, cut truncation) {
			id := strings.NewReplacer(" ", "-", ",", "").Replace(cut.name + "-" + end)
			c := dial(t, s.Addr)
			c.begin("POST", "/upload?id="+id, cut.framing)
			c.send(cut.body)
			c.awaitRead()
			worker.awaitSaid(t, ">> POST /upload?id="+id) // or it would never hear of the request
			c.leave(end)
			worker.awaitSaid(t, "upload "+id+": "+cut.bytes+" bytes, worker: request cancelled: client gone")
		})
	}
	s.AwaitRest(t)
	if got := s.Router.Stats(); got.ClientGone != int64(3*len(truncations)) || got.Lost != 0 {
		t.Errorf("%d clients are counted as gone, want %d; %d links were lost", got.ClientGone, 3*len(truncations), got.Lost)
	}
	wantCalm(t, s)
}

// leave ends the connection in the middle of a request.
func (c *raw) leave(how string) {
	c.t.Helper()
	switch how {
	case "closed":
		_ = c.conn.Close()
	case "half closed":
		_ = c.conn.CloseWrite()
		if answers := c.statuses(); len(answers) > 0 && !slices.Equal(answers, []int{http.StatusBadRequest}) {
			c.t.Errorf("the client got %d, want 400 or nothing: it may be gone", answers)
		}
	case "reset":
		_ = c.conn.SetLinger(0)
		_ = c.conn.Close()
	}
}

func TestAMalformedChunkNeverLooksLikeAnEndToTheWorker(t *testing.T) {
	s, worker := startBoth(t, nil)
	together(t, []truncation{
		{"size", "", "xyz\r\n", "5"}, {"longer", "", "5\r\n123456789", "10"},
		{"overflow", "", "fffffffffffffffff\r\n", "5"}, {"trailer", "", "0\r\nno field\r\n\r\n", "5"},
	}, func(t *testing.T, cut truncation) {
		c := dial(t, s.Addr)
		c.begin("POST", "/upload?id="+cut.name, "Transfer-Encoding: chunked")
		c.chunk("12345")
		worker.awaitSaid(t, ">> POST /upload?id="+cut.name)
		c.send(cut.body)
		c.want("POST", http.StatusBadRequest)
		c.wantClosed()
		worker.awaitSaid(t, "upload "+cut.name+": "+cut.bytes+" bytes, worker: request cancelled: client gone")
	})
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
	worker.awaitSaid(t, "echo begun: 5 bytes, worker: request cancelled: client gone")
}
