package http_test

import (
	"fmt"
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	for i := range 20 {
		c.Begin("POST", "/copy", "Content-Length: 2")
		c.Send(fmt.Sprintf("%02d", i))
	}
	for i := range 20 {
		if got, want := c.Want("POST", 200), fmt.Sprintf("%02d", i); got != want {
			t.Fatalf("response %d is %q", i, got)
		}
	}
}
