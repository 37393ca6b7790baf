package e2etest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// WantCalm fails the test if the server's log tells of a panic.
func WantCalm(t *testing.T, s *harness.Server) {
	t.Helper()
	if log := s.Log.String(); strings.Contains(log, "panic") {
		t.Errorf("the server's log tells of a panic:\n%s", log)
	}
}

// Endless is a body without an end.
type Endless struct{}

func (*Endless) Read(p []byte) (int, error) { return len(p), nil }

// App is a process of the worker in app_test.go.
type App struct{ *harness.Process }

// Together runs f for each case in parallel, and returns when all have ended:
// many of them wait for half a second, for as long as a server leaves a client
// to read its last answer.
func Together[T any](t *testing.T, cases []T, f func(t *testing.T, c T)) {
	t.Helper()
	t.Run("together", func(t *testing.T) {
		for _, c := range cases {
			t.Run(fmt.Sprint(c), func(t *testing.T) {
				t.Parallel()
				f(t, c)
			})
		}
	})
}

// StartApp starts one; env is of the variables that app_test.go names.
func StartApp(t testing.TB, s *harness.Server, env ...string) *App {
	t.Helper()
	return &App{s.StartWorker(t, "app", env...)}
}

// KeepSlowClients is a configuration in which a client that holds a worker keeps it, however
// busy the machine is, while others wait for that worker.
func KeepSlowClients(c *server.Config) { c.StallTime = 0 }

// StartBoth starts a server and one app for it.
func StartBoth(t testing.TB, change func(*server.Config), env ...string) (*harness.Server, *App) {
	t.Helper()
	s := harness.Start(t, change)
	return s, StartApp(t, s, env...)
}

// AwaitSaid waits until the worker has printed a line with this text.
func (a *App) AwaitSaid(t testing.TB, text string) {
	t.Helper()
	said := func() bool { return strings.Contains(a.Output(), text) }
	harness.Eventually(t, fmt.Sprintf("the worker to say %q", text), said)
}

// Requests returns the requests whose path begins with prefix that the worker
// has seen, in their order. Those whose response the client has read are in it.
func (a *App) Requests(t testing.TB, s *harness.Server, prefix string) (list []string) {
	t.Helper()
	sentinel := fmt.Sprintf("/sentinel/%d", len(a.Output()))
	harness.ReadAll(t, Get(t, s, sentinel).Body)
	a.AwaitSaid(t, ">> GET "+sentinel)
	for line := range strings.Lines(a.Output()) {
		if seen, ok := strings.CutPrefix(strings.TrimSpace(line), ">> "); ok {
			if _, path, _ := strings.Cut(seen, " "); strings.HasPrefix(path, prefix) {
				list = append(list, seen)
			}
		}
	}
	return list
}

// ShortFolder returns a folder with a path short enough for a socket.
func ShortFolder(t testing.TB) string {
	dir, err := os.MkdirTemp("", "ur")
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
