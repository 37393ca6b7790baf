package front_test

import (
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// usual is the first configuration of a test.
func usual() server.Config {
	c := server.DefaultConfig()
	setUsual(&c)
	return c
}

// strict is another one: bodies are short, and a path is the server's.
func strict() server.Config {
	c := usual()
	c.BodyLimit, c.MessageLimit, c.Compress, c.ErrorPages.Format = 10, 10, true, "json"
	c.Routes = []server.Route{
		{Match: server.Match{Paths: []string{"/hello"}}, Respond: &server.Respond{Body: "hello"}},
		{Prefix: "/", Pool: "default"},
	}
	return c
}

func setUsual(c *server.Config) { c.BodyLimit = 1 << 20 }

func TestWhatIsInProgressEndsAsItBegan(t *testing.T) {
	root := t.TempDir()
	large := e2etest.Text(16 << 20)
	harness.Check(t, os.WriteFile(filepath.Join(root, "large.bin"), []byte(large), 0o600))
	change := func(c *server.Config) {
		setUsual(c)
		c.Routes = append(c.Routes, server.Route{Prefix: "/files", StripPrefix: "/files",
			Files: &server.Files{Root: root}})
	}
	for _, d := range e2etest.Doors {
		t.Run(d.Label, func(t *testing.T) {
			s, worker := e2etest.StartBoth(t, change)
			v := e2etest.NewVisitor(t, d, s, worker, s.Secure(t))
			upload := v.Converse("/echo", "before")
			upload.Hear("before")
			socket := v.NewVisit().MustOpen("/socket")
			download := v.NewVisit().Get("/files/large.bin")
			harness.Check(t, s.Router.Reconfigure(strict()))

			if got := e2etest.WantStatus(t, v.Get("/hello"), http.StatusOK); got != "hello" {
				t.Errorf("a new route answers %q", got)
			}
			if got := e2etest.WantStatus(t, v.Get("/files/large.bin"), http.StatusOK); got != "GET /files/large.bin" {
				t.Errorf("a route that is gone answers %q", got)
			}
			response := v.Post("/upload", strings.NewReader(e2etest.Text(11)))
			e2etest.WantStatus(t, response, http.StatusRequestEntityTooLarge)
			if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("a failure is told as %s", got)
			}
			upload.Say(e2etest.Text(1000))
			upload.Hear(e2etest.Text(1000))
			if rest := upload.Finish(); rest != "" {
				t.Errorf("the upload ends with %q", rest)
			}
			socket.Text(e2etest.Text(1000))
			if got := socket.Message(); got != e2etest.Text(1000) {
				t.Errorf("the WebSocket answers %d bytes", len(got))
			}
			socket.Close(ws.StatusNormalClosure)
			socket.WantClose(ws.StatusNormalClosure)
			if got := string(harness.ReadAll(t, download.Body)); got != large {
				t.Errorf("the download has %d bytes", len(got))
			}
		})
	}
}

func TestAConfigurationThatFailsChangesNothing(t *testing.T) {
	s, _ := e2etest.StartBoth(t, setUsual)
	for name, change := range map[string]func(*server.Config){
		"a path that is none": func(c *server.Config) { c.Routes[0].Match.Paths = []string{"x"} },
		"a folder that is none": func(c *server.Config) {
			c.Routes[0] = server.Route{Files: &server.Files{Root: "/nonexistent"}}
			c.Routes = c.Routes[:1]
		},
		"a page that is none": func(c *server.Config) {
			c.ErrorPages.Pages = map[string]string{"5xx": "/nonexistent.html"}
		},
		"a timeout that is none": func(c *server.Config) { c.PingInterval = 0 },
	} {
		c := strict()
		change(&c)
		if err := s.Router.Reconfigure(c); err == nil || errors.Is(err, server.ErrNeedsUpgrade) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := strict()
	c.Memory, c.NumStreams = c.Memory*2, 7
	var needed *server.UpgradeError
	if err := s.Router.Reconfigure(c); !errors.As(err, &needed) || !errors.Is(err, server.ErrNeedsUpgrade) ||
		!slices.Equal(needed.Fields, []string{"NumStreams", "Memory"}) {
		t.Errorf("other memory: %v", err)
	}
	if got := e2etest.WantStatus(t, e2etest.Get(t, s, "/hello"), http.StatusOK); got != "GET /hello" {
		t.Errorf("a route of a configuration that failed answers %q", got)
	}
	e2etest.WantStatus(t, e2etest.Post(t, s, "/upload", e2etest.Text(1000)), http.StatusOK)
	harness.Check(t, s.Router.Reconfigure(strict()))
	e2etest.WantStatus(t, e2etest.Post(t, s, "/upload", e2etest.Text(1000)), http.StatusRequestEntityTooLarge)
}

func TestAClientKeepsWhatItHasUsedOfARate(t *testing.T) {
	limited := func(c *server.Config) {
		setUsual(c)
		c.Routes[0].Limit = server.RouteLimit{Rate: 1e-6, Burst: 2}
	}
	s, _ := e2etest.StartBoth(t, limited)
	reconfigure := func(change func(*server.Config)) {
		c := usual()
		limited(&c)
		change(&c)
		harness.Check(t, s.Router.Reconfigure(c))
	}
	ask := func(status int) { e2etest.WantStatus(t, e2etest.Get(t, s, "/x"), status) }
	ask(http.StatusOK)
	reconfigure(func(c *server.Config) { c.FieldLimit = 100 })
	ask(http.StatusOK)
	ask(http.StatusTooManyRequests)
	reconfigure(func(c *server.Config) { c.Routes[0].Limit.Burst = 1 })
	ask(http.StatusOK)
	ask(http.StatusTooManyRequests)
}

func TestNoRequestFailsWhileTheConfigurationChanges(t *testing.T) {
	s, _ := e2etest.StartBoth(t, setUsual)
	done := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			c := strict()
			if i%2 == 0 {
				c = usual()
			}
			if err := s.Router.Reconfigure(c); err != nil {
				t.Error(err)
				return
			}
		}
	})
	e2etest.Quickly(t, s, "/x", 8, 200)
	close(done)
	changing.Wait()
}

func TestAPoolComesAndGoes(t *testing.T) {
	s, _ := e2etest.StartBoth(t, setUsual)
	c := usual()
	c.Routes = append(c.Routes, server.Route{Prefix: "/new", Pool: "new"})
	c.PoolConfigs = map[string]server.PoolConfig{"new": {StuckAfter: server.Never}}
	c.ResponseTimeout /= 2
	harness.Check(t, s.Router.Reconfigure(c))
	e2etest.WantRetry(t, e2etest.Get(t, s, "/new"))
	worker := e2etest.StartApp(t, s, e2etest.PoolVariable+"=new")
	if got := e2etest.WantStatus(t, e2etest.Get(t, s, "/new/x"), http.StatusOK); got != "GET /new/x" {
		t.Errorf("the new pool answers %q", got)
	}
	harness.Check(t, s.Router.Reconfigure(usual()))
	harness.Receive(t, "the end of the worker of a pool that is gone", worker.Ended())
	if got := e2etest.WantStatus(t, e2etest.Get(t, s, "/new/x"), http.StatusOK); got != "GET /new/x" {
		t.Errorf("the other pool answers %q", got)
	}
}

func TestAProxyIsTrustedFromTheNextConnectionOn(t *testing.T) {
	s, _ := e2etest.StartBoth(t, setUsual)
	address := func() string {
		r, err := http.NewRequest("GET", s.URL+"/seen", nil)
		harness.Check(t, err)
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		response, err := e2etest.ClientFrom(t, "127.0.0.1").Do(r)
		harness.Check(t, err)
		seen := e2etest.Decode[e2etest.Sighting](t, e2etest.WantStatus(t, response, http.StatusOK))
		host, _, _ := strings.Cut(seen.RemoteAddr, ":")
		return host
	}
	for _, step := range []struct {
		proxies []netip.Prefix
		want    string
	}{
		{nil, "127.0.0.1"}, {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "192.0.2.1"}, {nil, "127.0.0.1"},
	} {
		c := usual()
		c.TrustedProxies = step.proxies
		harness.Check(t, s.Router.Reconfigure(c))
		if got := address(); got != step.want {
			t.Errorf("with %v, the client is %s, want %s", step.proxies, got, step.want)
		}
	}
}
