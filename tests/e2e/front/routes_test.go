package front_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

// tellRoutes is a configuration in which each route that is not a pool's tells its name.
func tellRoutes(c *server.Config) {
	tell := func(name string, m server.Match) server.Route {
		return server.Route{Match: m, Respond: &server.Respond{Body: name}}
	}
	c.Routes = []server.Route{
		tell("host", server.Match{Hosts: []string{"static.example.org", "*.cdn.example.org"}}),
		tell("header", server.Match{Paths: []string{"/api/*"}, Header: map[string]string{"X-Version": "2"}}),
		tell("method", server.Match{Paths: []string{"/api/*"}, Methods: []string{"DELETE"}}),
		tell("suffix", server.Match{Paths: []string{"*.php"}}),
		{Prefix: "/", Pool: "default"},
	}
}

func TestARouteIsChosenByHostPathMethodAndHeader(t *testing.T) {
	e2etest.ThroughEachDoor(t, tellRoutes, func(v *e2etest.Visitor) {
		for _, c := range []struct{ method, host, path, version, want string }{
			{"GET", "static.example.org", "/api/x", "2", "host"},
			{"GET", "A.B.cdn.example.org:8080", "/", "", "host"},
			{"GET", "example.org", "/api/x", "2", "header"},
			{"DELETE", "example.org", "/api", "", "method"},
			{"GET", "example.org", "/a/b.php?x=y", "", "suffix"},
			{"GET", "example.org", "/api/x", "1", "GET /api/x"},
			{"DELETE", "example.org", "/apix", "", "DELETE /apix"},
		} {
			r := v.Request(c.method, c.path, nil)
			if r.Host = c.host; c.version != "" {
				r.Header.Set("X-Version", c.version)
			}
			if got := e2etest.WantStatus(v, v.Do(r), http.StatusOK); got != c.want {
				v.Errorf("%s %s%s, version %s: %q, want %q", c.method, c.host, c.path, c.version, got, c.want)
			}
		}
		if v.Major == 3 {
			return // the client would clean the paths
		}
		for path, want := range map[string]int{"/x/../a.php": 200, "/api/..": 400, "/x//../api/y": 400} {
			r := v.Request("DELETE", "/", nil)
			r.URL.Opaque = path
			e2etest.WantStatus(v, v.Do(r), want)
		}
	})
}

func TestAWorkerSeesThePathBelowThePrefixAndWhereItIsMounted(t *testing.T) {
	change := func(c *server.Config) {
		c.Routes = []server.Route{
			{Match: server.Match{Paths: []string{"/api/*"}}, StripPrefix: "/api", Pool: "default"},
			{Prefix: "/", Pool: "default"},
		}
	}
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		for path, want := range map[string]string{
			"/api/seen?a=b": "/seen?a=b /api", "/ap%69/seen": "/seen /api", "/seen?a": "/seen?a ",
		} {
			r := v.Request("GET", path, nil)
			r.Header.Set("X-Forwarded-Prefix", "/forged")
			seen := e2etest.Decode[e2etest.Sighting](v, e2etest.WantStatus(v, v.Do(r), http.StatusOK))
			if got := seen.Path + " " + strings.Join(seen.Header["X-Forwarded-Prefix"], ","); got != want {
				v.Errorf("%s arrives as %q, want %q", path, got, want)
			}
		}
		if got := e2etest.WantStatus(v, v.Post("/api", strings.NewReader("x")), http.StatusOK); got != "POST /" {
			v.Errorf("/api arrives as %q", got)
		}
	})
}

func TestAServerRedirectsAndRespondsItself(t *testing.T) {
	change := func(c *server.Config) {
		c.Routes = []server.Route{
			{Match: server.Match{Paths: []string{"/old/*"}}, StripPrefix: "/old", Redirect: &server.Redirect{
				To: "https://new.example.org$path$query", Status: http.StatusPermanentRedirect}},
			{Match: server.Match{Paths: []string{"/robots.txt"}}, Respond: &server.Respond{Body: "User-agent: *\n"}},
			{Match: server.Match{Paths: []string{"/gone"}}, Respond: &server.Respond{Status: http.StatusGone}},
			{Match: server.Match{Paths: []string{"/none"}}, Respond: &server.Respond{Status: http.StatusNoContent}},
			{Prefix: "/", Pool: "default"},
		}
	}
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		v.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		response := v.Post("/old/a%20b?c=d", strings.NewReader(e2etest.Text(1000)))
		if body := e2etest.WantStatus(v, response, http.StatusPermanentRedirect); body != "" ||
			response.Header.Get("Location") != "https://new.example.org/a%20b?c=d" {
			v.Errorf("%q %v", body, response.Header)
		}
		for _, method := range []string{"GET", "HEAD", "POST"} {
			response = v.Do(v.Request(method, "/robots.txt", nil))
			want := "User-agent: *\n"
			if method == "HEAD" {
				want = ""
			}
			if body := e2etest.WantStatus(v, response, http.StatusOK); body != want || response.ContentLength != 14 ||
				response.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
				response.Header.Get("X-Request-Id") == "" {
				v.Errorf("%s: %q, %d bytes, %v", method, body, response.ContentLength, response.Header)
			}
		}
		e2etest.WantStatus(v, v.Get("/gone"), http.StatusGone)
		e2etest.WantStatus(v, v.Get("/none"), http.StatusNoContent)
		e2etest.WantStatus(v, v.Get("/still-open"), http.StatusOK)
		for _, path := range []string{"/old", "/robots.txt", "/gone"} {
			if n := len(v.App.Requests(v, v.Server, path)); n != 0 {
				v.Errorf("the worker saw %d requests for %s", n, path)
			}
		}
	})
}

func TestARouteHasLimitsOfItsOwn(t *testing.T) {
	change := func(c *server.Config) {
		c.BodyLimit = 100
		c.Routes = []server.Route{
			{Match: server.Match{Paths: []string{"/login"}}, Pool: "default", Limit: server.RouteLimit{
				Rate: 1e-6, Burst: 2, Header: "X-User", Body: 10}},
			{Match: server.Match{Paths: []string{"/files/*"}}, Pool: "default", Limit: server.RouteLimit{Body: 1000}},
			{Prefix: "/", Pool: "default"},
		}
	}
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		login := func(user, body string) *http.Response {
			r := v.Request("POST", "/login", strings.NewReader(body))
			r.Header.Set("X-User", v.ID(user))
			return v.Do(r)
		}
		for range 2 {
			e2etest.WantStatus(v, login("a", "x"), http.StatusOK)
		}
		response := login("a", "x")
		if e2etest.WantStatus(v, response, http.StatusTooManyRequests); response.Header.Get("Retry-After") == "" {
			v.Errorf("429 without Retry-After: %v", response.Header)
		}
		e2etest.WantStatus(v, login("b", e2etest.Text(11)), http.StatusRequestEntityTooLarge)
		e2etest.WantStatus(v, login("b", e2etest.Text(10)), http.StatusOK)
		for path, most := range map[string]int{"/files/upload": 1000, "/upload": 100} {
			e2etest.WantStatus(v, v.Post(path, strings.NewReader(e2etest.Text(most))), http.StatusOK)
			e2etest.WantStatus(v, v.Post(path, strings.NewReader(e2etest.Text(most+1))),
				http.StatusRequestEntityTooLarge)
		}
		unsaid := v.Post("/digest", e2etest.BytesOf(101))
		e2etest.WantStatus(v, unsaid, http.StatusRequestEntityTooLarge)
	})
}
