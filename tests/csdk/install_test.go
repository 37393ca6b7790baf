//go:build csdk

package csdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// manual returns the worker that the header's manual shows, with another socket.
func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdk, "include/upload_response.h"))
	harness.Check(t, err)
	_, text2, ok := strings.Cut(string(text), " * A WORKER\n")
	shown, _, ok2 := strings.Cut(text2, " * The folder examples/")
	if !ok || !ok2 {
		t.Fatal("no worker in the header's manual")
	}
	var b strings.Builder
	b.WriteString("#include <stdlib.h>\n")
	for line := range strings.Lines(shown) {
		b.WriteString(strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(line, "\n"), " *"), "     ") + "\n")
	}
	return strings.Replace(b.String(), `"/run/upload-response.sock"`, `getenv("UPLOAD_RESPONSE_SOCKET")`, 1)
}

func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing: apt install %s", tool, tool)
		}
	}
}

func run(t *testing.T, dir string, env []string, name string, arguments ...string) string {
	t.Helper()
	cmd := exec.Command(name, arguments...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// install installs the SDK into a folder of the test and returns its prefix.
func install(t *testing.T) string {
	t.Helper()
	need(t, "make")
	compiler(t)
	dir := t.TempDir()
	run(t, sdk, nil, "make", "install", "DESTDIR="+filepath.Join(dir, "stage"), "PREFIX=/opt/ur", "BUILD="+filepath.Join(dir, "build"))
	if _, err := os.Stat(filepath.Join(dir, "stage/opt/ur/lib/libupload_response.so.0")); err != nil {
		t.Error(err)
	}
	prefix := filepath.Join(dir, "prefix")
	run(t, sdk, nil, "make", "install", "PREFIX="+prefix, "BUILD="+filepath.Join(dir, "build2"))
	return prefix
}

// serveInstalled checks that a program serves requests.
func serveInstalled(t *testing.T, path, prefix string) {
	t.Helper()
	s := harness.Start(t, nil)
	s.StartWorker(t, "program", "CSDK_PROGRAM="+path, "LD_LIBRARY_PATH="+filepath.Join(prefix, "lib"))
	if got := getText(t, s, "/"); got != "hello world\n" {
		t.Errorf("got %q", got)
	}
}

func TestTheWorkerOfTheManualBuildsWithPkgConfig(t *testing.T) {
	need(t, "pkg-config")
	prefix := install(t)
	dir := t.TempDir()
	source, path := filepath.Join(dir, "hello.c"), filepath.Join(dir, "hello")
	harness.Check(t, os.WriteFile(source, []byte(manual(t)), 0o600))
	env := []string{"PKG_CONFIG_PATH=" + filepath.Join(prefix, "lib/pkgconfig")}
	flags := strings.Fields(run(t, dir, env, "pkg-config", "--cflags", "--libs", "upload_response"))
	run(t, dir, nil, compiler(t), append([]string{"-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", path, source}, flags...)...)
	needed := run(t, dir, []string{"LD_LIBRARY_PATH=" + filepath.Join(prefix, "lib")}, "ldd", path)
	if !strings.Contains(needed, filepath.Join(prefix, "lib/libupload_response.so.0")) {
		t.Errorf("the program is linked with\n%s", needed)
	}
	serveInstalled(t, path, prefix)
}

func TestTheWorkerOfTheManualBuildsWithCMake(t *testing.T) {
	need(t, "cmake")
	prefix := install(t)
	dir := t.TempDir()
	harness.Check(t, os.WriteFile(filepath.Join(dir, "hello.c"), []byte(manual(t)), 0o600))
	harness.Check(t, os.WriteFile(filepath.Join(dir, "CMakeLists.txt"), []byte(`cmake_minimum_required(VERSION 3.16)
project(hello C)
find_package(upload_response 0.1 REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello upload_response::upload_response)
add_executable(hello_header hello.c)
target_link_libraries(hello_header upload_response::header)
`), 0o600))
	run(t, dir, nil, "cmake", "-DCMAKE_PREFIX_PATH="+prefix, "-S", ".", "-B", "build")
	run(t, dir, nil, "cmake", "--build", "build")
	serveInstalled(t, filepath.Join(dir, "build/hello"), prefix)
	serveInstalled(t, filepath.Join(dir, "build/hello_header"), prefix)
}
