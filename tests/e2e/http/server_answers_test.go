package http_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestTheServerAnswersForItselfThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		r := v.Request("OPTIONS", "/", nil)
		r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Opaque: "*"}
		response := v.Do(r)
		if body := e2etest.WantStatus(v, response, http.StatusOK); body != "" ||
			response.Header.Get("X-Request-Id") == "" || response.Header.Get("Date") == "" {
			v.Errorf("OPTIONS *: %q, %v", body, response.Header)
		}
	})
}

func TestTRACEIsNotAllowedUnlessSomebodySaysSo(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		response := v.Do(v.Request("TRACE", "/", nil))
		e2etest.WantStatus(v, response, http.StatusMethodNotAllowed)
		if allow := response.Header.Get("Allow"); !strings.Contains(allow, "POST") || strings.Contains(allow, "TRACE") {
			v.Errorf("Allow: %q", allow)
		}
	})
	e2etest.ThroughEachDoor(t, func(c *server.Config) { c.AllowTrace = true }, func(v *e2etest.Visitor) {
		if got := e2etest.WantStatus(v, v.Do(v.Request("TRACE", "/", nil)), http.StatusOK); got != "TRACE /" {
			v.Errorf("%q", got)
		}
	})
}

func TestATargetThatIsTooLongIs414ThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		response := v.Get("/" + strings.Repeat("a", 60_000))
		e2etest.WantStatus(v, response, http.StatusRequestURITooLong)
		r := v.Request("GET", "/", nil)
		r.Header.Set("X-Big", strings.Repeat("a", 60_000))
		e2etest.WantStatus(v, v.Do(r), http.StatusRequestHeaderFieldsTooLarge)
	})
}
