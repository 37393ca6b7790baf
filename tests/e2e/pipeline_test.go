package e2e_test

import (
	"fmt"
	"testing"
)

func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	for i := range 20 {
		c.begin("POST", "/copy", "Content-Length: 2")
		c.send(fmt.Sprintf("%02d", i))
	}
	for i := range 20 {
		if got, want := c.want("POST", 200), fmt.Sprintf("%02d", i); got != want {
			t.Fatalf("response %d is %q", i, got)
		}
	}
}
