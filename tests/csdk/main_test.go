//go:build csdk

// Package csdk_test tests the C SDK against this server: C programs, built here
// with the C compiler, are the workers of a router in this process.
package csdk_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// sdk is the folder of the C SDK.
const sdk = "../../sdk/c"

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"program": runProgram, "server": runServer})
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}

// runProgram turns this process into a C program, so that the harness can treat it
// as one of its own.
func runProgram() {
	arguments := strings.Fields(os.Getenv("CSDK_PROGRAM"))
	err := syscall.Exec(arguments[0], arguments, os.Environ())
	fmt.Fprintln(os.Stderr, "exec:", err)
	os.Exit(2)
}

// compiler returns the C compiler, or skips the test.
func compiler(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if name != "" {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
	}
	t.Skip("no C compiler: install gcc or clang, or set CC")
	return ""
}

// built is the programs that tests have had built.
var built = struct {
	sync.Mutex
	dir      string
	programs map[string]string // errors begin with a space
}{programs: make(map[string]string)}

// program returns the path of a C program, built from a source file of the SDK,
// once in each run.
func program(t testing.TB, source string, flags ...string) string {
	t.Helper()
	cc := compiler(t)
	built.Lock()
	defer built.Unlock()
	key := strings.Join(append(flags, source), " ")
	path, ok := built.programs[key]
	if !ok {
		path = build(cc, source, flags)
		built.programs[key] = path
	}
	if strings.HasPrefix(path, " ") {
		t.Fatal(path)
	}
	return path
}

func build(cc, source string, flags []string) string {
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "csdk")
		if err != nil {
			return " " + err.Error()
		}
		built.dir = dir
	}
	path := filepath.Join(built.dir, fmt.Sprintf("%d-%s", len(built.programs), strings.TrimSuffix(filepath.Base(source), ".c")))
	arguments := append([]string{"-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I", filepath.Join(sdk, "include")}, flags...)
	arguments = append(arguments, strings.Fields(os.Getenv("CSDK_CFLAGS"))...) // such as -fsanitize=address
	arguments = append(arguments, "-o", path, filepath.Join(sdk, source), "-pthread")
	if out, err := exec.Command(cc, arguments...).CombinedOutput(); err != nil {
		return fmt.Sprintf(" %s %s: %v\n%s", cc, strings.Join(arguments, " "), err, out)
	}
	return path
}

// start starts a C program as a worker of s and waits until it is attached.
func start(t testing.TB, s *harness.Server, source string, arguments string, env ...string) *harness.Process {
	t.Helper()
	return s.StartWorker(t, "program", append(env, "CSDK_PROGRAM="+program(t, source)+" "+arguments)...)
}

// variant is one way to run the worker of these tests.
type variant struct {
	name string
	env  []string
}

var bells = []variant{{"futex", []string{"UR_BELL=futex"}}, {"eventfd", []string{"UR_BELL=eventfd"}}}

// eachBell runs a test with both bells: a server, and one worker for it.
func eachBell(t *testing.T, change func(*server.Config), test func(t *testing.T, s *harness.Server, w *harness.Process)) {
	for _, v := range bells {
		t.Run(v.name, func(t *testing.T) {
			s := harness.Start(t, change)
			test(t, s, start(t, s, "tests/worker.c", "", v.env...))
		})
	}
}

// awaitSaid waits until the worker has printed a line with this text.
func awaitSaid(t testing.TB, w *harness.Process, text string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("the worker to say %q", text), func() bool { return strings.Contains(w.Output(), text) })
}
