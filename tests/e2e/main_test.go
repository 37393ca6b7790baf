// Package e2e_test tests the whole way of a request: a client's socket, the router
// in this process, shared memory, a worker process, and back.
package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"app": runApp, "server": runServer})
}

// app is a process of the worker in app_test.go.
type app struct{ *harness.Process }

// together runs f for each case in parallel, and returns when all have ended:
// many of them wait for half a second, for as long as a server leaves a client
// to read its last answer.
func together[T any](t *testing.T, cases []T, f func(t *testing.T, c T)) {
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

// startApp starts one; env is of the variables that app_test.go names.
func startApp(t testing.TB, s *harness.Server, env ...string) *app {
	t.Helper()
	return &app{s.StartWorker(t, "app", env...)}
}

// startBoth starts a server and one app for it.
func startBoth(t testing.TB, change func(*server.Config), env ...string) (*harness.Server, *app) {
	t.Helper()
	s := harness.Start(t, change)
	return s, startApp(t, s, env...)
}

// awaitSaid waits until the worker has printed a line with this text.
func (a *app) awaitSaid(t testing.TB, text string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("the worker to say %q", text), func() bool { return strings.Contains(a.Output(), text) })
}

// requests returns the requests whose path begins with prefix that the worker
// has seen, in their order. Those whose response the client has read are in it.
func (a *app) requests(t testing.TB, s *harness.Server, prefix string) (list []string) {
	t.Helper()
	sentinel := fmt.Sprintf("/sentinel/%d", len(a.Output()))
	harness.ReadAll(t, get(t, s, sentinel).Body)
	a.awaitSaid(t, ">> GET "+sentinel)
	for line := range strings.Lines(a.Output()) {
		if seen, ok := strings.CutPrefix(strings.TrimSpace(line), ">> "); ok {
			if _, path, _ := strings.Cut(seen, " "); strings.HasPrefix(path, prefix) {
				list = append(list, seen)
			}
		}
	}
	return list
}
