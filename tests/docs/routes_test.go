package docs_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func TestTheFileOfTheRoutesPageIsGood(t *testing.T) {
	shop, program := t.TempDir(), filepath.Join(t.TempDir(), "upload-response")
	for _, folder := range []string{"static", "public"} {
		harness.Check(t, os.Mkdir(filepath.Join(shop, folder), 0o700))
	}
	harness.Check(t, os.WriteFile(filepath.Join(shop, "5xx.html"), []byte("<p>We are sorry"), 0o600))
	apps := "apps: {api: {command: [/bin/true]}, web: {command: [/bin/true]}}\n"
	text := apps + yamlBlock.FindStringSubmatch(read(t, "docs/routes.md"))[1]
	file := filepath.Join(shop, "upload-response.yaml")
	harness.Check(t, os.WriteFile(file, []byte(strings.ReplaceAll(text, "/srv/shop", shop)), 0o600))
	out, err := exec.Command("go", "build", "-o", program, module+"/cmd/upload-response").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err = exec.Command(program, "check", "-c", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "good (5 routes") {
		t.Errorf("%v\n%s", err, out)
	}
}
