package conformance_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// talk is a request that a library sends.
type talk struct {
	t       testing.TB
	request *http.Request
	upload  *io.PipeWriter // nil: no body
	cancel  context.CancelFunc
	answer  chan answer
}

type answer struct {
	response *http.Response
	err      error
}

// talk begins one. Its fields are lines, as those of HTTP/1.1.
func (r *rig) talk(t *testing.T, method string, lines []string) *talk {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, r.url+"/", nil)
	harness.Check(t, err)
	c := &talk{t: t, request: request, cancel: cancel, answer: make(chan answer, 1)}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		c.field(http.CanonicalHeaderKey(name), strings.TrimSpace(value))
	}
	go func() {
		response, err := r.client.Do(request)
		c.answer <- answer{response, err}
	}()
	return c
}

// field adds a field to the request, or does what it means.
func (c *talk) field(name, value string) {
	switch name {
	case "Transfer-Encoding":
		c.request.ContentLength = -1
	case "Content-Length":
		n, err := strconv.ParseInt(value, 10, 64)
		harness.Check(c.t, err)
		c.request.ContentLength = n
	case "Trailer":
		c.request.Trailer = http.Header{}
		for each := range strings.SplitSeq(value, ",") {
			c.request.Trailer[http.CanonicalHeaderKey(strings.TrimSpace(each))] = nil
		}
	default:
		c.request.Header[name] = append(c.request.Header[name], value)
		return
	}
	if c.upload == nil && c.request.ContentLength != 0 {
		c.request.Body, c.upload = io.Pipe()
	}
}

func (c *talk) chunk(b []byte) {
	c.t.Helper()
	if _, err := c.upload.Write(b); err != nil {
		c.t.Fatalf("upload: %v", err)
	}
}

// finish leaves out the trailers that the request has not announced: the library does,
// too.
func (c *talk) finish(trailers ...string) {
	c.t.Helper()
	for _, line := range trailers {
		name, value, _ := strings.Cut(line, ":")
		name = textproto.CanonicalMIMEHeaderKey(name)
		if values, announced := c.request.Trailer[name]; announced {
			c.request.Trailer[name] = append(values, strings.TrimSpace(value))
		}
	}
	_ = c.upload.Close()
}

func (c *talk) response(string) *http.Response {
	c.t.Helper()
	got := harness.Receive(c.t, "a response", c.answer)
	harness.Check(c.t, got.err)
	c.t.Cleanup(func() { _ = got.response.Body.Close() })
	return got.response
}

// errLeft ends the body of a client that leaves.
var errLeft = errors.New("the client leaves")

func (c *talk) Close() error {
	c.cancel()
	if c.upload != nil {
		_ = c.upload.CloseWithError(errLeft)
	}
	return nil
}
