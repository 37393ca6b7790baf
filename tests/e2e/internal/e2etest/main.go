// Package e2etest has what the end-to-end tests share: a worker process (the app) that
// answers by what a request's path and query say, a server in this process or in one of
// its own, and clients for each version of HTTP (the doors).
package e2etest

import (
	"flag"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// Main runs the tests of a package, or the role that this process was started in.
func Main(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "5") // tests that are at the same time mostly wait
	harness.Main(m, map[string]func(){"app": runApp, "server": runServer})
}
