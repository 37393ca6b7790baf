package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// FlagsVariable names the environment variable with more flags for the C
// compiler, such as -fsanitize=address.
const FlagsVariable = "UPLOAD_RESPONSE_TEST_CFLAGS"

// compiled is the C programs of this run, by what they were built of.
var compiled struct {
	sync.Mutex
	folder   string
	programs map[string]string
}

// FindCC returns the C compiler: what CC names, or the first of the usual ones.
// It is empty if there is none.
func FindCC() string {
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// CompileC builds a C program of one source file below sdk/c, once in each run,
// and returns its path. It skips the test when there is no C compiler.
func CompileC(t testing.TB, source string, flags ...string) string {
	t.Helper()
	cc := FindCC()
	if cc == "" {
		t.Skip("no C compiler: install gcc or clang, or set CC")
	}
	flags = append(flags, strings.Fields(os.Getenv(FlagsVariable))...)
	compiled.Lock()
	defer compiled.Unlock()
	key := strings.Join(append(flags, source), " ")
	if path := compiled.programs[key]; path != "" {
		return path
	}
	path := filepath.Join(programFolder(t), fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(source), ".c"), len(compiled.programs)))
	sdk := sdkFolder()
	args := append([]string{"-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I", filepath.Join(sdk, "include")}, flags...)
	args = append(args, "-o", path, filepath.Join(sdk, source), "-pthread")
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", cc, strings.Join(args, " "), err, out)
	}
	compiled.programs[key] = path
	return path
}

// sdkFolder returns the folder sdk/c, which stands in a fixed place from here.
func sdkFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "sdk", "c")
}

// programFolder returns the folder for the programs. The caller holds the lock.
func programFolder(t testing.TB) string {
	if compiled.folder == "" {
		folder, err := os.MkdirTemp("", "ur-c")
		Check(t, err)
		Check(t, os.Chmod(folder, 0o755)) // workers may be other users
		compiled.folder, compiled.programs = folder, map[string]string{}
	}
	return compiled.folder
}

// removeCompiled removes what the run has built.
func removeCompiled() {
	if compiled.folder != "" {
		_ = os.RemoveAll(compiled.folder)
	}
}
