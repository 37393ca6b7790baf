// Package develop_test runs applications as `upload-response run` does for somebody who works
// on them: real programs, in Python and in other languages.
package develop_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/python"
)

func TestMain(m *testing.M) { harness.Main(m, nil) }

// built returns the program, which is built once, and outside of the checkout, where it would find
// the SDK.
var built = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "ur-run")
	if err != nil {
		return "", err
	}
	harness.AtEnd(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "upload-response")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../cmd/upload-response")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, err
})

// output is what a process has printed up to now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// running is an application that is being worked on.
type running struct {
	t      *testing.T
	folder string
	url    string
	output *output
	client *http.Client
}

// write writes files into a new folder.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		harness.Check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		harness.Check(t, os.WriteFile(path, []byte(content), 0o755))
	}
	return folder
}

// withSDK lets the Python of the test find the SDK of this checkout.
func withSDK(t *testing.T) (env []string) {
	_, env = python.Program(t, "")
	return env
}

// run starts an application of a folder with these files, and waits until the server listens.
func run(t *testing.T, files map[string]string, env []string, args ...string) *running {
	t.Helper()
	program, err := built()
	harness.Check(t, err)
	return runProgram(t, program, files, env, args...)
}

func runProgram(t *testing.T, program string, files map[string]string, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, folder: write(t, files), output: &output{}, client: &http.Client{Timeout: 3 * harness.Patience}}
	sockets, err := os.MkdirTemp("", "run") // a short name
	harness.Check(t, err)
	command := exec.Command(program, append([]string{"run", "--listen", "127.0.0.1:0", "--socket", sockets + "/s"},
		args...)...)
	command.Dir, command.Stdout, command.Stderr = r.folder, r.output, r.output
	command.Env = append(append(os.Environ(), "VIRTUAL_ENV="), env...)
	harness.Check(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(unix.SIGTERM)
		if err := command.Wait(); err != nil && !t.Failed() {
			t.Errorf("the program ended with %v:\n%s", err, r.output)
		}
		if strings.Contains(r.output.String(), "said goodbye") {
			t.Error("the server ended before the application")
		}
		_ = os.RemoveAll(sockets)
		if t.Failed() {
			t.Logf("it printed:\n%s", r.output)
		}
	})
	address := regexp.MustCompile(` is at (http://127\.0\.0\.1:\d+/)\n`)
	harness.Eventually(t, "the address", func() bool {
		found := address.FindStringSubmatch(r.output.String())
		if found != nil {
			r.url = found[1]
		}
		return found != nil
	})
	return r
}

// get returns the status and the body of an answer.
func (r *running) get(accept string) (status int, body string) {
	r.t.Helper()
	request, err := http.NewRequest("GET", r.url, nil)
	harness.Check(r.t, err)
	request.Header.Set("Accept", accept)
	response, err := r.client.Do(request)
	if err != nil {
		r.t.Fatalf("%v; it printed:\n%s", err, r.output)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	harness.Check(r.t, err)
	return response.StatusCode, string(text)
}

func (r *running) wantBody(want string) {
	r.t.Helper()
	if status, body := r.get("*/*"); status != 200 || body != want {
		r.t.Errorf("%d, %q; want %q", status, body, want)
	}
}

// change writes a file of the application again, and waits until that was noticed.
func (r *running) change(file, content string) {
	r.t.Helper()
	seen := strings.Count(r.output.String(), `msg="starting again"`)
	harness.Check(r.t, os.WriteFile(filepath.Join(r.folder, file), []byte(content), 0o755))
	harness.Eventually(r.t, "another start", func() bool {
		return strings.Count(r.output.String(), `msg="starting again"`) > seen
	})
}

const (
	wsgi = `def %s(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"%s"]
`
	asgi = `async def %s(scope, receive, send):
    assert scope["type"] == "http", "no lifespan here"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%s"})
`
	asgiClass = `class App:
    def __init__(self, word):
        self.word = word

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "http", "no lifespan here"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.word})


made = []


def create_app():
    made.append(1)
    return App(b"made %d" % len(made))
`
	wsgiClass = `class App:
    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [b"instance"]


application = App()
`
	native = `import upload_response as ur


def hello(request, response):
    response.start(200, {"content-type": "text/plain"})
    response.write("native\n")


if __name__ == "__main__":
    ur.serve(hello)
`
)

func TestAnApplicationInPythonIsServedWhateverItsInterface(t *testing.T) {
	env := withSDK(t)
	for _, test := range []struct {
		name, app, want string
		files           map[string]string
		args            []string
	}{
		{name: "a file with WSGI", app: "app.py", want: "one",
			files: map[string]string{"app.py": fmt.Sprintf(wsgi, "app", "one")}},
		{name: "a file with ASGI", app: "main.py", want: "two",
			files: map[string]string{"main.py": fmt.Sprintf(asgi, "app", "two")}},
		{name: "a module in a package", app: "shop.web:api", want: "three",
			files: map[string]string{"shop/__init__.py": "", "shop/web.py": fmt.Sprintf(asgi, "api", "three")}},
		{name: "a factory, called once", app: "shop:create_app()", want: "made 1",
			files: map[string]string{"shop.py": asgiClass}},
		{name: "a factory that is found", app: ".", want: "made 1", files: map[string]string{"app.py": asgiClass}},
		{name: "an instance with WSGI", app: "web.py", want: "instance", files: map[string]string{"web.py": wsgiClass}},
		{name: "a project of Django", app: ".", want: "django",
			files: map[string]string{"manage.py": "", "mysite/wsgi.py": fmt.Sprintf(wsgi, "application", "django")}},
		{name: "an interface that is said", app: "vague:app", want: "vague", args: []string{"--interface", "wsgi"},
			files: map[string]string{"vague.py": fmt.Sprintf(wsgi, "serve", "vague") +
				"\n\ndef app(*words):\n    return serve(*words)\n"}},
		{name: "a program", app: "./native.py", want: "native\n", files: map[string]string{"native.py": native}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run(t, test.files, env, append(test.args, test.app)...).wantBody(test.want)
		})
	}
}

func TestAProgramInAnyLanguageIsServedAndStartedAgainWhenItIsBuiltAgain(t *testing.T) {
	t.Parallel()
	program, err := built()
	harness.Check(t, err)
	script := "#!/bin/sh\nexec " + program + " worker %s --pool default --log-level error\n"
	r := run(t, map[string]string{"worker": fmt.Sprintf(script, "discard")}, nil, "./worker")
	r.wantBody("{\"bytes\":0}\n")
	r.change("worker", fmt.Sprintf(script, "echo"))
	r.wantBody("")
}

func TestAChangeIsServedAndNoRequestFailsMeanwhile(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"app.py": fmt.Sprintf(wsgi, "app", "0")}, withSDK(t), "app.py")
	r.wantBody("0")
	for _, word := range []string{"10", "200", "3000"} { // of other lengths: Python looks at time and size
		r.change("app.py", fmt.Sprintf(wsgi, "app", word))
		r.wantBody(word)
	}
}

func TestAnApplicationThatDoesNotStartShowsItsTracebackUntilItIsMended(t *testing.T) {
	t.Parallel()
	env := withSDK(t)
	good := fmt.Sprintf(wsgi, "app", "mended")
	for name, test := range map[string]struct{ bad, want string }{
		"an exception":   {"def broken():\n    return 1 / 0\n\n\nbroken()\n", "ZeroDivisionError: division by zero"},
		"a syntax error": {"def app(:\n", "SyntaxError: "},
		"no module":      {"import nowhere\n" + good, "ModuleNotFoundError: No module named 'nowhere'"},
		"no application": {"x = 1\n", "does not serve: exit status 0\n\nIt ended without a word"},
		"a vague one": {"def app(*words):\n    pass\n",
			"app:app may be a WSGI or an ASGI application: say which with --interface wsgi or --interface asgi"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, map[string]string{"app.py": test.bad}, env, "app.py")
			status, text := r.get("*/*")
			if status != 500 || !strings.Contains(text, test.want) || strings.Contains(text, "importlib") {
				t.Errorf("%d, %s; want %q", status, text, test.want)
			}
			status, page := r.get("text/html")
			if status != 500 || !strings.Contains(page, "<h1>app.py does not serve: exit status") {
				t.Errorf("%d, %s", status, page)
			}
			r.change("app.py", good)
			r.wantBody("mended")
		})
	}
}

func TestAnApplicationThatEndsWhileItServesIsStartedAgain(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"app.py": "import os\n\n\n" + strings.Replace(fmt.Sprintf(wsgi, "app", "alive"),
		"    start", "    if environ['QUERY_STRING']:\n        os._exit(7)\n    start", 1)}, withSDK(t), "app.py")
	r.wantBody("alive")
	response, err := r.client.Get(r.url + "?end")
	harness.Check(t, err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusBadGateway && response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the request that ends it got %d", response.StatusCode)
	}
	harness.Eventually(t, "another process", func() bool { status, _ := r.get("*/*"); return status == 200 })
	if !strings.Contains(r.output.String(), `how="exit status 7"`) {
		t.Error("the log does not say how it ended")
	}
}

func TestARequestIsAShortLine(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"app.py": fmt.Sprintf(wsgi, "app", "one")}, withSDK(t), "app.py")
	r.get("*/*")
	line := regexp.MustCompile(`(?m)^\S+Z 200 GET / [0-9.e-]+ s$`)
	harness.Eventually(t, "the line", func() bool { return line.MatchString(r.output.String()) })
}

func TestAFileWithTheNameOfAnotherModuleIsNotTakenForIt(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"site.py": wsgiClass}, withSDK(t), "site.py")
	const want = "site.py has the name of another module, /"
	if status, text := r.get("*/*"); status != 500 || !strings.Contains(text, want) {
		t.Errorf("%d, %s", status, text)
	}
}

func TestWithoutAnSDKThePageSaysHowToInstallIt(t *testing.T) {
	t.Parallel()
	interpreter := python.Find()
	if interpreter == "" {
		t.Skip("no Python 3.9 or later: install python3, or set PYTHON")
	}
	r := run(t, map[string]string{
		"app.py":           fmt.Sprintf(wsgi, "app", "x"),
		".venv/bin/python": "#!/bin/sh\nexec " + interpreter + ` -I -S "$@"` + "\n",
	}, nil, "app.py")
	if status, text := r.get("*/*"); status != 500 || !strings.Contains(text, "-m pip install upload-response") {
		t.Errorf("%d, %s", status, text)
	}
}

func TestTheSDKOfACheckoutNeedsNoInstallation(t *testing.T) {
	t.Parallel()
	interpreter := python.Find()
	if interpreter == "" {
		t.Skip("no Python 3.9 or later: install python3, or set PYTHON")
	}
	program, err := built()
	harness.Check(t, err)
	checkout := t.TempDir()
	source, err := filepath.Abs(filepath.Join(python.SDK, "src"))
	harness.Check(t, err)
	for path, target := range map[string]string{
		"sdk/python/src": source, "build/upload-response": program,
		"build/c/libupload_response.so.0": cbuild.Library(t),
	} {
		path = filepath.Join(checkout, path)
		harness.Check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if strings.HasPrefix(filepath.Base(path), "upload-response") {
			harness.Check(t, os.Link(target, path)) // the path tells where the program is
		} else {
			harness.Check(t, os.Symlink(target, path))
		}
	}
	r := runProgram(t, filepath.Join(checkout, "build/upload-response"), map[string]string{
		"app.py":           fmt.Sprintf(wsgi, "app", "checkout"),
		".venv/bin/python": "#!/bin/sh\nexec " + interpreter + ` -I -S "$@"` + "\n",
	}, nil, "app.py")
	r.wantBody("checkout")
}

func TestTheServerOfProductionShowsNoTraceback(t *testing.T) {
	t.Parallel()
	program, err := built()
	harness.Check(t, err)
	env := withSDK(t)
	folder := write(t, map[string]string{"app.py": "raise RuntimeError('the secret')\n"})
	sockets, err := os.MkdirTemp("", "run")
	harness.Check(t, err)
	defer os.RemoveAll(sockets)
	command := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--socket", sockets+"/s",
		"--queue-timeout", "3s", "--worker", "default="+python.Find()+" -m upload_response wsgi app:app")
	log := &output{}
	command.Dir, command.Env, command.Stdout, command.Stderr = folder, append(os.Environ(), env...), log, log
	harness.Check(t, command.Start())
	defer func() {
		_ = command.Process.Signal(unix.SIGTERM)
		_ = command.Wait()
	}()
	address := regexp.MustCompile(`listen=(127\.0\.0\.1:\d+)`)
	harness.Eventually(t, "a traceback", func() bool { return strings.Contains(log.String(), "the secret") })
	client := &http.Client{Timeout: harness.Patience}
	request, err := http.NewRequest("GET", "http://"+address.FindStringSubmatch(log.String())[1], nil)
	harness.Check(t, err)
	request.Header.Set("Accept", "text/html")
	response, err := client.Do(request)
	harness.Check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	harness.Check(t, err)
	if response.StatusCode != 503 || strings.Contains(string(body), "secret") {
		t.Errorf("%d, %s", response.StatusCode, body)
	}
}

func TestTheDoctorHasThePythonSDKAttach(t *testing.T) {
	t.Parallel()
	program, err := built()
	harness.Check(t, err)
	command := exec.Command(program, "doctor", "--listen", "127.0.0.1:0", "--socket", filepath.Join(t.TempDir(), "s"),
		"--python", python.Find())
	command.Env = append(os.Environ(), withSDK(t)...)
	out, err := command.CombinedOutput()
	line := regexp.MustCompile(`ok +Python SDK +\S+: version \S+ in Python 3\.\d+ attaches, layout \d+`)
	if err != nil || !line.Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}
