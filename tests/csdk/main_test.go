// Package csdk_test tests the C SDK against this server: C programs, built here
// with the C compiler, are the workers of a router in this process.
package csdk_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// sdk is the folder of the C SDK.
const sdk = cbuild.SDK

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"server": harness.RunServer})
}

// start starts a C program as a worker of s and waits until it is attached.
func start(t testing.TB, s *harness.Server, source string, arguments string, env ...string) *harness.Process {
	t.Helper()
	return startBuilt(t, s, append([]string{cbuild.Program(t, source)}, strings.Fields(arguments)...), env...)
}

// startBuilt is start for a program that has been built, with its arguments.
func startBuilt(t testing.TB, s *harness.Server, program []string, env ...string) *harness.Process {
	t.Helper()
	before := s.Router.Stats().Attached
	w := harness.StartProgram(t, io.Discard, program, append(env, harness.SocketVariable+"="+s.Socket)...)
	harness.Eventually(t, "the worker to attach", func() bool { return s.Router.Stats().Attached > before })
	return w
}

// variant is one way to run the worker of these tests.
type variant struct {
	name string
	env  []string
}

var bells = []variant{{"futex", []string{"UR_BELL=futex"}}, {"eventfd", []string{"UR_BELL=eventfd"}}}

// bellTest is a test of a server and one worker for it.
type bellTest func(t *testing.T, s *harness.Server, w *harness.Process)

// eachBell runs a test with both bells.
func eachBell(t *testing.T, change func(*server.Config), test bellTest) {
	for _, v := range bells {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, change)
			test(t, s, start(t, s, "tests/worker.c", "", v.env...))
		})
	}
}

// awaitSaid waits until the worker has printed a line with this text.
func awaitSaid(t testing.TB, w *harness.Process, text string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("the worker to say %q", text), func() bool {
		return strings.Contains(w.Output(), text)
	})
}
