package docs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/python"
)

// scene is some console blocks of README.md that follow each other, in the order of the page.
// A block is named by its first line.
type scene struct {
	name   string
	blocks []string
	not    string // why the blocks cannot be run here; "": they are

	before []string // lines that the page takes for granted
	after  []string // lines that show whether it worked
	stands []string // old, new: for what the page leaves open
	single bool     // each line is a scene of its own: the page says "or"
	python bool     // needs Python
}

// scenes has a row for each console block of README.md.
var scenes = []scene{
	{name: "quick start", blocks: []string{"make run", "head -c 100M /dev/urandom > big.file"}},
	{
		name: "run", blocks: []string{"upload-response run app.py"},
		after:  []string{"curl http://127.0.0.1:8080/"},
		stands: []string{"run app.py", "run --python '" + python.Find() + "' sdk/python/examples/wsgi_app.py"},
		python: true,
	},
	{name: "a worker", blocks: []string{"go build -o build/ ./cmd/upload-response ./examples/go/hello"}},
	{
		name:   "gateways of Python",
		blocks: []string{"python -m upload_response wsgi module:app --processes 2 --threads 8"},
		before: []string{"./build/upload-response serve --listen 127.0.0.1:8080"},
		after:  []string{"curl http://127.0.0.1:8080/"},
		stands: []string{"wsgi module:app", "wsgi wsgi_app:app --app-dir sdk/python/examples",
			"asgi module:app", "asgi asgi_app:app --app-dir sdk/python/examples"},
		single: true, python: true,
	},
	{
		name: "routes", blocks: []string{"upload-response serve --route /=web --route /upload=files " +
			"--worker web=./web --worker files=./files --workers 2"},
		after: []string{"curl http://127.0.0.1:8080/", "curl http://127.0.0.1:8080/upload"},
		stands: []string{"web=./web", "'web=./build/upload-response worker discard'", "files=./files",
			"'files=./build/upload-response worker discard'"},
	},
	{
		name: "front door",
		blocks: []string{
			"./build/upload-response serve --listen :8080 --listen https://:8443 --tls-self-signed " +
				"--listen unix:/tmp/ur-http.sock --worker 'default=./build/upload-response worker digest'",
			"curl -T big.file http://127.0.0.1:8080/                              # HTTP/1.1",
		},
		before: []string{"head -c 100M /dev/urandom > big.file"},
	},
	{
		name: "benchmarks",
		blocks: []string{
			"./build/upload-response-bench http --quick            # whole requests, in a minute or two",
		},
		not: "they measure for minutes; the tests of cmd/upload-response-bench run them for a moment",
	},
}

var consoleBlock = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// consoleBlocks returns the lines of each console block of a page, each as one line and
// without its prompt.
func consoleBlocks(text string) (all [][]string) {
	for _, match := range consoleBlock.FindAllStringSubmatch(text, -1) {
		joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(match[1], "")
		var lines []string
		for line := range strings.Lines(joined) {
			lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "$ "))
		}
		all = append(all, lines)
	}
	return all
}

func TestTheConsoleBlocksOfTheReadmeWork(t *testing.T) { runScenes(t, "README.md", scenes) }

// runScenes runs the console blocks of a page: there is a row for each.
func runScenes(t *testing.T, page string, scenes []scene) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl: apt install curl")
	}
	blocks := consoleBlocks(read(t, page))
	programs := buildPrograms(t)
	for _, s := range scenes {
		var lines []string
		for _, first := range s.blocks {
			if len(blocks) == 0 || blocks[0][0] != first {
				t.Fatalf("%s has no console block that begins with %q here: "+
					"is there a row for each, in their order?", page, first)
			}
			lines, blocks = append(lines, blocks[0]...), blocks[1:]
		}
		switch {
		case s.not != "":
			t.Logf("%s: not run, because %s", s.name, s.not)
		case s.single:
			for _, line := range lines {
				t.Run(s.name, func(t *testing.T) { s.run(t, programs, []string{line}) })
			}
		default:
			t.Run(s.name, func(t *testing.T) { s.run(t, programs, lines) })
		}
	}
	if len(blocks) > 0 {
		t.Errorf("no row for the console block that begins with %q: add one, and say how it is run, or why not",
			blocks[0][0])
	}
}

// buildPrograms builds what the page builds, so that a block can be run alone, and nobody
// waits for a server that is still being built.
func buildPrograms(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, command := range [][]string{
		{"make", "build", "build-c"},
		{"go", "build", "-buildvcs=false", "-o", folder + "/", "./cmd/upload-response", "./examples/go/hello"},
	} {
		build := exec.Command(command[0], command[1:]...)
		build.Dir, build.Env = root, append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	return folder
}

// shell runs lines in the top folder of the repository, with addresses, files and programs of
// its own.
type shell struct {
	t      *testing.T
	folder string
	env    []string
	open   *strings.Replacer // of what the page leaves open, first
	names  *strings.Replacer
	stays  []*harness.Process
}

// own returns a line with names of its own.
func (sh *shell) own(line string) string { return sh.names.Replace(sh.open.Replace(line)) }

func (s *scene) run(t *testing.T, programs string, lines []string) {
	sh := newShell(t, programs, s)
	for _, line := range append(append(s.before[:len(s.before):len(s.before)], lines...), s.after...) {
		sh.do(line)
	}
}

func newShell(t *testing.T, programs string, s *scene) *shell {
	t.Helper()
	folder, err := os.MkdirTemp("", "readme") // a short name: Unix sockets are in it
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	clear, secure := freeAddress(t), freePair(t)
	sh := &shell{t: t, folder: folder, env: append(os.Environ(),
		"UPLOAD_RESPONSE_LISTEN="+clear, "UPLOAD_RESPONSE_SOCKET="+folder+"/ur.sock", "TMPDIR="+folder,
		"PATH="+programs+":"+os.Getenv("PATH"), "MAKEFLAGS=", "MAKELEVEL=", "GOFLAGS=-buildvcs=false",
		"PYTHONDONTWRITEBYTECODE=1")}
	sh.open = strings.NewReplacer(s.stands...)
	names := []string{
		"127.0.0.1:8080", clear, "--listen :8080", "--listen " + clear,
		"127.0.0.1:9180", freeAddress(t), "127.0.0.1:8443", secure, "https://:8443", "https://" + secure,
		"/tmp/", folder + "/", "big.file", folder + "/big.file", "head -c 100M", "head -c 16M",
		"-o build/", "-o " + programs + "/", "./build/", programs + "/",
	}
	if s.python {
		names = append(names, "python -m", sh.findPython()+" -m")
	}
	sh.names = strings.NewReplacer(names...)
	return sh
}

// findPython returns a Python and lets it find the SDK of this checkout.
func (sh *shell) findPython() string {
	interpreter := python.Find()
	if interpreter == "" {
		sh.t.Skip("no Python 3.9 or later: install python3, or set PYTHON")
	}
	sh.env = append(sh.env, "PYTHONPATH=sdk/python/src", "UPLOAD_RESPONSE_LIBRARY=build/c/libupload_response.so.0")
	return interpreter
}

// freePair returns an address that is free for TCP and for UDP.
func freePair(t *testing.T) string {
	t.Helper()
	for {
		address := freeAddress(t)
		if udp, err := net.ListenPacket("udp", address); err == nil {
			_ = udp.Close()
			return address
		}
	}
}

// staying are lines that do not end by themselves.
var staying = regexp.MustCompile(`^make run$|upload-response run | serve | -m upload_response |&$`)

var usesHTTP3 = regexp.MustCompile(`^curl .*--http3`)

func (sh *shell) do(line string) {
	sh.t.Helper()
	switch {
	case strings.Contains(line, "/py/") && python.Find() == "":
		sh.t.Logf("not run, without Python: %s", line)
	case usesHTTP3.MatchString(line) && !curlHasHTTP3():
		sh.t.Logf("not run, by a curl without HTTP/3: %s", line)
	case staying.MatchString(line):
		sh.start(strings.TrimSuffix(line, "&"))
	case strings.HasPrefix(line, "curl "):
		sh.curl(line)
	default:
		if out, err := sh.command(line).CombinedOutput(); err != nil {
			sh.t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

func curlHasHTTP3() bool {
	out, err := exec.Command("curl", "--version").Output()
	return err == nil && bytes.Contains(out, []byte("HTTP3"))
}

// command returns a line as a command that has a process group of its own.
func (sh *shell) command(line string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(sh.t.Context(), 3*time.Minute) // it may have to build
	sh.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+sh.own(line))
	c.Dir, c.Env = root, sh.env
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	return c
}

// start runs a line until the end of the test, and then ends it as Ctrl-C would.
func (sh *shell) start(line string) {
	c := exec.Command("bash", "-c", "exec "+sh.own(line))
	if at := regexp.MustCompile(`^(\w+=\S+ )+`).FindString(line); at != "" {
		c = exec.Command("bash", "-c", "export "+sh.own(at)+"; exec "+sh.own(line[len(at):]))
	}
	c.Dir, c.Env = root, sh.env
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := harness.StartCommand(sh.t, io.Discard, c)
	sh.stays = append(sh.stays, p)
	sh.t.Cleanup(func() { // before that of the harness, which kills
		sh.end(p, line)
	})
}

// end interrupts a process group and waits for the end of its leader.
func (sh *shell) end(p *harness.Process, line string) {
	group := -p.PID()
	defer func() { _ = syscall.Kill(group, syscall.SIGKILL) }()
	_ = syscall.Kill(group, syscall.SIGINT)
	select {
	case <-p.Ended():
	case <-time.After(harness.Patience):
		sh.t.Errorf("%s: does not end", line)
	}
}

// What curl says while nobody serves yet.
const (
	curlRefused = 7  // no server
	curlFailed  = 22 // a status of 400 or more: 503, without a worker
)

// curl runs a line until it succeeds: servers and workers take a moment to start. If it
// prints a digest, it has to be that of the file.
func (sh *shell) curl(line string) {
	sh.t.Helper()
	line = "curl -sS --fail --max-time 20" + strings.TrimPrefix(line, "curl")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var complaints bytes.Buffer
		c := sh.command(line)
		c.Stderr = &complaints
		out, err := c.Output()
		if err == nil {
			sh.checkDigest(line, out)
			return
		}
		starting := c.ProcessState.ExitCode() == curlRefused || c.ProcessState.ExitCode() == curlFailed
		if !starting || sh.hasEnded() || time.Now().After(deadline) {
			sh.t.Fatalf("%s: %v\n%s\n%s", line, err, complaints.Bytes(), out)
		}
	}
}

// hasEnded reports whether one of the programs that stay has ended.
func (sh *shell) hasEnded() bool {
	return slices.ContainsFunc(sh.stays, func(p *harness.Process) bool {
		select {
		case <-p.Ended():
			return true
		default:
			return false
		}
	})
}

var digest = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

func (sh *shell) checkDigest(line string, out []byte) {
	sh.t.Helper()
	got := digest.FindString(string(out))
	if got == "" && !strings.Contains(line, "digest") {
		return
	}
	content, err := os.ReadFile(filepath.Join(sh.folder, "big.file"))
	harness.Check(sh.t, err)
	want := sha256.Sum256(content)
	if got != hex.EncodeToString(want[:]) {
		sh.t.Errorf("%s: %q, want %x", line, out, want)
	}
}
