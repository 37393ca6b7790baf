// Package clients_test has clients that others have written talk to a server: curl,
// nghttp2's tools, and a browser. A test whose client is not installed is skipped, and
// says what to install.
package clients_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"app": runApp})
}

// place is a server with a worker.
type place struct {
	*harness.Server
	*harness.Secure
	worker      *harness.Process
	clear, safe string // URLs
}

func open(t *testing.T) *place {
	t.Helper()
	s := harness.Start(t, nil)
	p := &place{Server: s, Secure: s.Secure(t), worker: s.StartWorker(t, "app")}
	p.clear, p.safe = s.URL, p.Secure.URL
	return p
}

// said returns what follows a text in the lines that the worker has printed.
func (p *place) said(text string) (list []string) {
	for line := range strings.Lines(p.worker.Output()) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), text); ok {
			list = append(list, rest)
		}
	}
	return list
}

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s: apt install %s", name, install)
	}
	return path
}

// run runs a program to its end, and returns what it prints, first to its standard
// output.
func run(t *testing.T, path string, args ...string) (stdout, stderr string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), path, args...)
	var out, err bytes.Buffer
	command.Stdout, command.Stderr = &out, &err
	if failure := command.Run(); failure != nil {
		t.Fatalf("%s %q: %v\n%s", path, args, failure, err.String())
	}
	return out.String(), err.String()
}

// text returns a string of n bytes.
func text(n int) string { return strings.Repeat("0123456789abcdef", n/16+1)[:n] }
