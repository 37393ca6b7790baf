package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
)

func TestTheServerAnswersForItselfThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		r := v.request("OPTIONS", "/", nil)
		r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Opaque: "*"}
		response := v.do(r)
		if body := wantStatus(v, response, http.StatusOK); body != "" || response.Header.Get("X-Request-Id") == "" || response.Header.Get("Date") == "" {
			v.Errorf("OPTIONS *: %q, %v", body, response.Header)
		}
	})
}

func TestTRACEIsNotAllowedUnlessSomebodySaysSo(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		response := v.do(v.request("TRACE", "/", nil))
		wantStatus(v, response, http.StatusMethodNotAllowed)
		if allow := response.Header.Get("Allow"); !strings.Contains(allow, "POST") || strings.Contains(allow, "TRACE") {
			v.Errorf("Allow: %q", allow)
		}
	})
	throughEachDoor(t, func(c *server.Config) { c.AllowTrace = true }, func(v *visitor) {
		if got := wantStatus(v, v.do(v.request("TRACE", "/", nil)), http.StatusOK); got != "TRACE /" {
			v.Errorf("%q", got)
		}
	})
}

func TestATargetThatIsTooLongIs414ThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		response := v.get("/" + strings.Repeat("a", 60_000))
		wantStatus(v, response, http.StatusRequestURITooLong)
		r := v.request("GET", "/", nil)
		r.Header.Set("X-Big", strings.Repeat("a", 60_000))
		wantStatus(v, v.do(r), http.StatusRequestHeaderFieldsTooLarge)
	})
}
