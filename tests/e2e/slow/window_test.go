package slow_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// unfinished begins an upload over a connection of its own, and returns its response, and
// what ends it.
func unfinished(v *e2etest.Visitor) (*http.Response, func()) {
	v.Helper()
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, "x") }()
	response := v.NewVisit().Post("/echo", r)
	return response, func() {
		v.Helper()
		_ = w.Close()
		_, _ = io.Copy(io.Discard, response.Body)
	}
}

// Over HTTP/1.1 what nobody reads lies in the socket's buffer.
func TestUnreadUploadsTakeNoMoreThanTheirMemoryAndOneAddressNotAllOfIt(t *testing.T) {
	e2etest.ThroughEachDoor(t, func(c *server.Config) { c.WindowMemory = 2 << 20 }, func(v *e2etest.Visitor) {
		const most = 6
		var ends []func()
		for len(ends) < most {
			response, end := unfinished(v)
			if response.StatusCode == http.StatusServiceUnavailable {
				e2etest.WantRetry(v, response)
				end()
				break
			}
			wantCode(v, response, http.StatusOK)
			ends = append(ends, end)
		}
		if refused := len(ends) < most; refused != (v.Major > 1) {
			v.Errorf("%d uploads were accepted", len(ends))
		}
		e2etest.WantStatus(v, v.Get("/"), http.StatusOK)
		for _, end := range ends {
			end()
		}
		harness.Eventually(v, "an upload to be accepted again", func() bool {
			response, end := unfinished(v)
			end()
			return response.StatusCode == http.StatusOK
		})
	})
}

func wantCode(v *e2etest.Visitor, response *http.Response, status int) {
	v.Helper()
	if response.StatusCode != status {
		v.Errorf("%s, want %d", response.Status, status)
	}
}
