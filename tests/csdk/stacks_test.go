package csdk_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// stacksSignal is the signal on which the examples print their stacks.
const stacksSignal = syscall.Signal(40)

func TestAnExamplePrintsTheStackOfEachThreadOnASignalAndServesOn(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	w := start(t, s, "examples/digest.c", "--threads 2")
	harness.Eventually(t, "both threads to attach", func() bool { return s.Router.Stats().Links == 2 })

	body, feed := io.Pipe()
	answered := make(chan int, 1)
	go func() { // occupies one of the threads: its upload does not end before the signal
		response, err := s.Client.Post(s.URL, "text/plain", body)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	_, err := io.WriteString(feed, "some")
	harness.Check(t, err)

	w.Signal(stacksSignal)
	harness.Eventually(t, "two stacks", func() bool {
		return strings.Count(w.Output(), "stack of a thread, most recent call first:") == 2
	})
	harness.Check(t, feed.Close())
	if status := harness.Receive(t, "the response to the upload", answered); status != http.StatusOK {
		t.Errorf("the upload during which the stacks were printed: status %d", status)
	}
}
