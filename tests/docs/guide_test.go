// Package docs_test runs the Go code that the documentation shows.
package docs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

const root = "../.."

const module = "github.com/wavey-ai/upload-response"

// imports are the packages that code without a package clause may use.
var imports = []string{
	"bufio", "context", "crypto/sha256", "database/sql", "encoding/base64", "errors", "fmt", "io", "log", "log/slog",
	"net/http", "strings", "time", module + "/proto", module + "/proto/attach", module + "/server", module + "/worker",
}

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// blocks returns the Go code that a page shows.
func blocks(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	harness.Check(t, err)
	for _, match := range goBlock.FindAllSubmatch(text, -1) {
		all = append(all, string(match[1]))
	}
	if len(all) == 0 {
		t.Fatalf("%s shows no Go", page)
	}
	return all
}

func isProgram(block string) bool { return strings.HasPrefix(block, "package main\n") }

// source returns a block as a whole file. Code without a package clause is declarations.
func source(block string) string {
	if isProgram(block) {
		return block
	}
	var b strings.Builder
	b.WriteString("package snippet\n\n")
	for _, path := range imports {
		name := path[strings.LastIndexByte(path, '/')+1:]
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(block) {
			fmt.Fprintf(&b, "import %q\n", path)
		}
	}
	return b.String() + block
}

// build compiles blocks as packages of this module and returns the paths of the programs, in
// their order.
func build(t *testing.T, blocks []string) (programs []string) {
	t.Helper()
	folder := t.TempDir()
	here, err := os.Getwd()
	harness.Check(t, err)
	replace := map[string]string{}
	arguments := []string{"build", "-overlay", filepath.Join(folder, "overlay.json"), "-o", folder + "/"}
	for i, block := range blocks {
		name := fmt.Sprintf("block%d", i)
		file := filepath.Join(folder, name+".go")
		harness.Check(t, os.WriteFile(file, []byte(source(block)), 0o600))
		replace[filepath.Join(here, name, name+".go")] = file
		arguments = append(arguments, "./"+name)
		if isProgram(block) {
			programs = append(programs, filepath.Join(folder, name))
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	harness.Check(t, err)
	harness.Check(t, os.WriteFile(filepath.Join(folder, "overlay.json"), overlay, 0o600))
	if out, err := exec.Command("go", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return programs
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// get returns the body of a response with status 200, or "".
func get(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

func TestTheCodeOfTheGoGuideCompilesAndItsWorkerAndServerWork(t *testing.T) {
	programs := build(t, blocks(t, "docs/go.md"))
	if len(programs) != 2 {
		t.Fatalf("docs/go.md shows %d programs, want a worker and a server", len(programs))
	}
	address, socket := freeAddress(t), filepath.Join(t.TempDir(), "workers")
	server := harness.StartProgram(t, io.Discard, []string{programs[1], address, socket})
	worker := harness.StartProgram(t, io.Discard, programs[:1], harness.SocketVariable+"="+socket)
	harness.Eventually(t, "the worker to answer", func() bool {
		return get("http://"+address+"/") == "hello from another process\n"
	})
	if got := get("http://" + address + "/health"); got != "1 workers\n" {
		t.Errorf("the server's own handler says %q", got)
	}
	for _, p := range []*harness.Process{worker, server} {
		p.Signal(syscall.SIGTERM)
		if status := p.Wait(); status != 0 {
			t.Errorf("exit status %d after SIGTERM", status)
		}
	}
}

func TestTheWorkerOfTheReadmeAnswers(t *testing.T) {
	all := slices.DeleteFunc(blocks(t, "README.md"), func(block string) bool { return !isProgram(block) })
	for _, block := range all {
		s := harness.Start(t, nil)
		program := build(t, []string{strings.ReplaceAll(block, "/tmp/ur.sock", s.Socket)})[0]
		s.StartWorkerProgram(t, program)
		if got := get(s.URL + "/"); got != "hello from another process\n" {
			t.Errorf("it answers %q", got)
		}
	}
	if len(all) == 0 {
		t.Error("README.md shows no worker")
	}
}

// row is the first cell of a row of a table that names something of package worker.
var row = regexp.MustCompile("(?m)^\\| (`[A-Z*][^|]*) \\|")

// quoted is one name in a cell.
var quoted = regexp.MustCompile("`\\*?([^`]*)`")

// documentation returns what `go doc` says of packages.
func documentation(t *testing.T, packages ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range packages {
		out, err := exec.Command("go", "doc", "-all", module+"/"+name).CombinedOutput()
		if err != nil {
			t.Fatalf("go doc: %v\n%s", err, out)
		}
		all.Write(out)
	}
	return all.String()
}

func TestWhatTheTablesOfTheGoGuideNameIsThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/go.md"))
	harness.Check(t, err)
	guide, _, _ := strings.Cut(string(text), "## Differences from net/http")
	reference, found := documentation(t, "worker", "proto/attach"), 0
	for _, cell := range row.FindAllStringSubmatch(guide, -1) {
		owner := "" // of the methods in the rest of the cell
		for _, name := range quoted.FindAllStringSubmatch(cell[1], -1) {
			before, method, dotted := strings.Cut(name[1], ".")
			want := `(?m)^(func|type|var) ` + before + `\b|^\t` + before + `\s+=`
			switch {
			case before == "attach":
				want = `(?m)^type ` + method + `\b`
			case dotted:
				owner = before
				want = `(?m)^func \(\w+ \*` + owner + `\) ` + method + `\(`
			case owner != "":
				want = `(?m)^func \(\w+ \*` + owner + `\) ` + before + `\(`
			}
			found++
			if !regexp.MustCompile(want).MatchString(reference) {
				t.Errorf("go doc has nothing for %s: %s", name[1], want)
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d names: does this test look at the tables?", found)
	}
}
