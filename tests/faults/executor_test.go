package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// listOwn prints a program's own descriptors and mappings. It is a shell, so that
// there are no descriptors of its own that it would need for its run time.
const listOwn = `ls -l /proc/self/fd | grep -- '->'; cat /proc/self/maps`

// executorRole serves, within the handler's process, what it has itself and what
// a program that it starts has: descriptors and mappings.
func executorRole() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/child" {
			out, err := exec.Command("/bin/sh", "-c", listOwn).CombinedOutput()
			must(err)
			_, _ = w.Write(out)
			return
		}
		maps, err := os.ReadFile("/proc/self/maps")
		must(err)
		fmt.Fprintf(w, "%s%s", strings.Join(descriptors(), "\n"), maps)
	})
	must(worker.Serve(context.Background(), os.Getenv(harness.SocketVariable), handler))
}

// descriptors returns the targets of this process's descriptors.
func descriptors() (list []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	must(err)
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil {
			list = append(list, target)
		}
	}
	return list
}

// ours are the marks of what belongs to a link or to the server.
var ours = []string{
	"memfd:upload-response requests", "memfd:upload-response responses", "anon_inode:[eventfd]", "socket:[",
}

func TestAProgramThatAWorkerOrTheServerStartsInheritsNothing(t *testing.T) {
	s := harness.Start(t, small)
	s.StartWorker(t, "executor")
	get := func(path string) string {
		response, err := s.Client.Get(s.URL + path)
		harness.Check(t, err)
		return string(harness.ReadAll(t, response.Body))
	}
	for _, mark := range ours {
		if !strings.Contains(get("/self"), mark) {
			t.Errorf("the worker itself has no %q: the test would miss it in the child", mark)
		}
	}
	fromServer, err := exec.Command("/bin/sh", "-c", listOwn).CombinedOutput()
	harness.Check(t, err)
	for name, got := range map[string]string{"worker": get("/child"), "server": string(fromServer)} {
		if !strings.Contains(got, "/proc/") || !strings.Contains(got, "[stack]") {
			t.Fatalf("the %s's child could not list what it has:\n%s", name, got)
		}
		for _, mark := range ours {
			if strings.Contains(got, mark) {
				t.Errorf("a child of the %s has %q:\n%s", name, mark, got)
			}
		}
	}
}
