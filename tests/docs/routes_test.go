package docs_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestTheServerOfTheRoutesPageWorks(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	harness.Check(t, os.WriteFile(filepath.Join(folder, "a.txt"), []byte("a file\n"), 0o600))
	program := build(t, blocks(t, "docs/routes.md"))[0]
	server := harness.StartProgram(t, io.Discard, []string{program, address, folder})
	url := "http://" + address
	harness.Eventually(t, "the server to answer", func() bool { return get(url+"/hello") == "hello\n" })
	for path, want := range map[string]string{"/static/a.txt": "a file\n", "/old/static/a.txt": "a file\n"} {
		if got := get(url + path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	response, err := http.Get(url + "/")
	harness.Check(t, err)
	harness.ReadAll(t, response.Body)
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a worker: %s", response.Status)
	}
	server.Signal(syscall.SIGHUP)
	harness.Eventually(t, "the other configuration", func() bool { return get(url+"/hello") == "hello again\n" })
}
