//go:build h2spec

// Package h2spec_test runs h2spec, a conformance suite for HTTP/2, against a server
// with a worker. "make test-h2spec" builds h2spec and runs these tests.
package h2spec_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"answer": runAnswer})
}

// runAnswer is the role of a worker that reads each request and answers a few bytes, as
// h2spec requires.
func runAnswer() {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d bytes", n)
	})
	if err := worker.Serve(context.Background(), os.Getenv(harness.SocketVariable), answer); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// program names the environment variable with h2spec's path.
const program = "H2SPEC"

// report is what h2spec writes.
type report struct {
	Sections []struct {
		ID    string     `xml:"package,attr"`
		Cases []testcase `xml:"testcase"`
	} `xml:"testsuite"`
}

type testcase struct {
	Does    string  `xml:"classname,attr"`
	Error   *string `xml:"error"`
	Failure *string `xml:"failure"`
	Skipped *string `xml:"skipped"`
}

// run runs h2spec against an address, and returns the cases that did not pass, each as
// section and number, and what became of it.
func run(t *testing.T, address string, args ...string) (failed map[string]string, count int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	harness.Check(t, err)
	path := filepath.Join(t.TempDir(), "report.xml")
	out, err := exec.Command(os.Getenv(program),
		append([]string{"--strict", "-h", host, "-p", port, "-j", path}, args...)...).CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended { // it ends with 1 if a case fails
		t.Fatalf("%s: %v", program, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var r report
	harness.Check(t, xml.Unmarshal(text, &r))
	failed = map[string]string{}
	for _, section := range r.Sections {
		for i, c := range section.Cases {
			count++
			for what, said := range map[string]*string{"error": c.Error, "failure": c.Failure, "skipped": c.Skipped} {
				if said != nil {
					failed[fmt.Sprintf("%s/%d", section.ID, i+1)] = fmt.Sprintf("%s: %s: %s", c.Does, what, *said)
				}
			}
		}
	}
	return failed, count
}

// wholeSuite is how many cases h2spec has.
const wholeSuite = 146

func TestTheServerConformsToHTTP2(t *testing.T) {
	s := harness.Start(t, nil)
	s.StartWorker(t, "answer")
	t.Run("together", func(t *testing.T) {
		for name, door := range map[string]struct {
			address string
			args    []string
		}{"clear": {s.Addr, nil}, "TLS": {s.Secure(t).Addr, []string{"--tls", "--insecure"}}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				failed, count := run(t, door.address, door.args...)
				if count != wholeSuite {
					t.Errorf("%d cases, want %d", count, wholeSuite)
				}
				again, _ := run(t, door.address, append(door.args, "--max-header-length", "64000", frameSizeCase)...)
				if len(again) == 0 {
					delete(failed, frameSizeCase)
				}
				judge(t, name, failed)
			})
		}
	})
}

// frameSizeCase sends a frame that is too large only if it is told how large a frame
// may be: https://github.com/summerwind/h2spec/issues/102
const frameSizeCase = "http2/4.2/3"

// judge compares the cases that failed with those that are expected to fail.
func judge(t *testing.T, door string, failed map[string]string) {
	t.Helper()
	for id, what := range failed {
		if !slices.ContainsFunc(exceptions, func(e exception) bool { return e.id == id && e.covers(door) }) {
			t.Errorf("%s: %s", id, what)
		}
	}
	for _, e := range exceptions {
		if _, ok := failed[e.id]; !ok && e.covers(door) && !e.racy {
			t.Errorf("%s passes now: %s", e.id, e.why)
		}
	}
}
