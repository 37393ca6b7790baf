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
	"github.com/wavey-ai/upload-response/tests/python"
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
	shop := t.TempDir()
	for _, folder := range []string{"static", "public"} {
		harness.Check(t, os.Mkdir(filepath.Join(shop, folder), 0o700))
	}
	harness.Check(t, os.WriteFile(filepath.Join(shop, "5xx.html"), []byte("<p>We are sorry"), 0o600))
	apps := "apps: {api: {command: [/bin/true]}, web: {command: [/bin/true]}}\n"
	text := apps + yamlBlock.FindStringSubmatch(read(t, "docs/routes.md"))[1]
	wantGood(t, shop, strings.ReplaceAll(text, "/srv/shop", shop), "good (5 routes")
}

func TestTheFileOfTheReadmeIsGood(t *testing.T) {
	if python.Find() == "" {
		t.Skip("no Python 3.9 or later: install python3, or set PYTHON")
	}
	wantGood(t, t.TempDir(), yamlBlock.FindStringSubmatch(read(t, "README.md"))[1], "good (")
}

// wantGood checks that the program finds a configuration file in a folder good, in these words.
func wantGood(t *testing.T, folder, text, words string) {
	t.Helper()
	file, program := filepath.Join(folder, "upload-response.yaml"), builtProgram(t)
	harness.Check(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := exec.Command(program, "check", "-c", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), words) {
		t.Errorf("%v\n%s", err, out)
	}
}

// builtProgram returns the path of the program: UPLOAD_RESPONSE names one that is built already.
func builtProgram(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("UPLOAD_RESPONSE"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "upload-response")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, module+"/cmd/upload-response")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}
