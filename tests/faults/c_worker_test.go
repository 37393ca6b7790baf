package faults_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// cRoute leads to the pool "c", which C workers serve (sdk/c/tests/faulty.c).
const cRoute = "/c"

// withC is a small configuration with a pool for C workers, whose requests wait
// while there is none.
func withC(c *server.Config) {
	small(c)
	c.Routes = append(c.Routes, server.Route{Prefix: cRoute, Pool: "c"})
	c.Supervised = []string{"c"}
}

// startC starts a C worker and waits until it is attached.
func startC(t testing.TB, s *harness.Server, env ...string) *harness.Process {
	t.Helper()
	return s.StartWorkerProgram(t, cbuild.Program(t, "tests/faulty.c"), env...)
}

// startWithC starts a server with a C worker.
func startWithC(t testing.TB, change func(*server.Config), env ...string) (*harness.Server, *harness.Process) {
	t.Helper()
	cbuild.Program(t, "tests/faulty.c") // or skip, before anything is started
	s := harness.Start(t, func(c *server.Config) {
		withC(c)
		if change != nil {
			change(c)
		}
	})
	return s, startC(t, s, env...)
}

// getC sends a request to the C workers and returns the response, which has to be
// whole.
func getC(t testing.TB, s *harness.Server, path string) rawclient.Reply {
	t.Helper()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", cRoute+path)
	return client.WantReply("GET", http.StatusOK)
}

// wantServes fails the test unless the C worker answers.
func wantServes(t testing.TB, s *harness.Server, p *harness.Process) {
	t.Helper()
	if r, want := getC(t, s, "/echo"), fmt.Sprintf("GET by %d: ", p.PID()); r.Body != want {
		t.Fatalf("the C worker's answer is %q, want %q", r.Body, want)
	}
}
