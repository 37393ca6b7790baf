package docs_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/python"
)

// tries is an application that says what it can do.
const tries = `
def app(environ, start_response):
    answers = []
    for name, mode in (FILES):
        try:
            open(name, mode).close()
            answers.append("yes")
        except OSError as error:
            answers.append(type(error).__name__)
    start_response("200 OK", [("content-type", "text/plain")])
    return [" ".join(answers).encode()]
`

func TestTheAppOfTheSectionOnIsolationIsIsolated(t *testing.T) {
	command, env := python.Program(t, "examples/wsgi_app.py")
	// Some are scripts that look for the real one.
	out, err := exec.Command(command[0], "-c", "import sys; print(sys.executable, end='')").Output()
	harness.Check(t, err)
	interpreter := string(out)
	folder, address := t.TempDir(), freeAddress(t)
	app, data, closed := filepath.Join(folder, "srv"), filepath.Join(folder, "data"), filepath.Join(folder, "closed")
	for _, name := range []string{app, data, closed} {
		harness.Check(t, os.Mkdir(name, 0o700))
	}
	files := "('" + data + "/x', 'w'), ('" + app + "/x', 'w'), ('" + closed + "/x', 'w')"
	module := strings.ReplaceAll(tries, "FILES", files)
	harness.Check(t, os.WriteFile(filepath.Join(app, "shop.py"), []byte(module), 0o600))

	_, section, _ := strings.Cut(read(t, "docs/operations.md"), "\n## Isolation\n")
	text := yamlBlock.FindStringSubmatch(section)[1]
	text = regexp.MustCompile(`(?m)^ *user: .*\n`).ReplaceAllString(text, "") // there is none of this name here
	text = strings.NewReplacer("127.0.0.1:8080", address, "/srv/shop", app, "/var/lib/shop, /tmp", data,
		"python: shop:app", "command: ['"+interpreter+"', -m, upload_response, wsgi, 'shop:app']").Replace(text)
	text += "socket: " + filepath.Join(folder, "s") + "\n"
	file, program := filepath.Join(folder, "upload-response.yaml"), filepath.Join(folder, "upload-response")
	harness.Check(t, os.WriteFile(file, []byte(text), 0o600))
	out, err = exec.Command("go", "build", "-o", program, "../../cmd/upload-response").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	server := harness.StartProgram(t, io.Discard, []string{program, "serve", "-c", file}, env...)
	harness.Eventually(t, "the app to answer", func() bool { return strings.HasPrefix(get("http://"+address), "yes") })
	want := "yes PermissionError PermissionError"
	if strings.Contains(server.Output(), "limit=sandbox") { // the kernel has no Landlock
		want = "yes yes yes"
	}
	if got := get("http://" + address); got != want {
		t.Errorf("%q, want %q: %s", got, want, server.Output())
	}
}
