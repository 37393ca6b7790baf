package http_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// accepting asks for a path with an Accept field, unless that is empty.
func accepting(v *e2etest.Visitor, method, path, accept string) *http.Response {
	v.Helper()
	r := v.Request(method, path, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return v.Do(r)
}

func TestAFailureIsToldAsTheClientPrefers(t *testing.T) {
	t.Parallel()
	change := func(c *server.Config) {
		c.Routes = append(c.Routes, server.Route{Prefix: "/idle", Pool: "idle"})
	}
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		plain := "503 Service Unavailable: no worker attached\n"
		for accept, want := range map[string]string{
			"": "text/plain; charset=utf-8", "*/*": "text/plain; charset=utf-8",
			"image/png":           "text/plain; charset=utf-8",
			"text/html,*/*;q=0.8": "text/html; charset=utf-8", "application/json": "application/problem+json",
		} {
			response := accepting(v, "GET", "/idle", accept)
			body := e2etest.WantStatus(v, response, http.StatusServiceUnavailable)
			id := response.Header.Get("X-Request-Id")
			if response.Header.Get("Content-Type") != want || response.ContentLength != int64(len(body)) ||
				response.Header.Get("Vary") != "Accept" || response.Header.Get("Retry-After") == "" {
				v.Errorf("%q gets %d bytes, %v", accept, response.ContentLength, response.Header)
			}
			if want == "text/plain; charset=utf-8" && body != plain || body != plain && !strings.Contains(body, id) {
				v.Errorf("%q gets %q", accept, body)
			}
		}
		response := accepting(v, "HEAD", "/idle", "")
		if body := e2etest.WantStatus(v, response, http.StatusServiceUnavailable); body != "" ||
			response.ContentLength != int64(len(plain)) {
			v.Errorf("HEAD: %q, length %d", body, response.ContentLength)
		}
		e2etest.WantStatus(v, v.Get("/still-open"), http.StatusOK)
	})
}

func TestAPageOfTheUserIsForTheServersFailuresOnly(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "5xx.html")
	harness.Check(t, os.WriteFile(page, []byte("<p>We are sorry: $request_id"), 0o600))
	change := func(c *server.Config) { c.ErrorPages.Pages = map[string]string{"5xx": page} }
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		response := v.Get("/abort")
		if body := e2etest.WantStatus(v, response, http.StatusBadGateway); body != "<p>We are sorry: "+
			response.Header.Get("X-Request-Id") {
			v.Errorf("%q", body)
		}
		if body := e2etest.WantStatus(v, v.Get("/reply?status=502&body=mine"), http.StatusBadGateway); body != "mine" {
			v.Errorf("the worker's response became %q", body)
		}
	})
}
