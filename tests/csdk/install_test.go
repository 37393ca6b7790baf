package csdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// manual returns the worker that the header's manual shows, with another socket.
func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdk, "include/upload_response.h"))
	harness.Check(t, err)
	_, text2, ok := strings.Cut(string(text), " * ## A worker\n")
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
			t.Skipf("%s is missing: apt install %s", tool, strings.Replace(tool, "clang++", "clang", 1))
		}
	}
}

func run(t *testing.T, dir string, env []string, name string, arguments ...string) string {
	t.Helper()
	out, err := cbuild.Output(dir, env, name, arguments...)
	harness.Check(t, err)
	return out
}

// installed is where the SDK is installed for these tests, once, and the file for
// pkg-config of a package that was made of the same build for another place.
var installed = sync.OnceValues(func() (i struct{ prefix, packaged string }, err error) {
	dir, err := os.MkdirTemp("", "csdk")
	if err != nil {
		return i, err
	}
	harness.AtEnd(func() { _ = os.RemoveAll(dir) })
	i.prefix = filepath.Join(dir, "prefix")
	stage := filepath.Join(dir, "stage")
	for _, place := range []string{"PREFIX=" + i.prefix, "PREFIX=/opt/other DESTDIR=" + stage} {
		arguments := append([]string{"-j2", "install", "BUILD=" + filepath.Join(dir, "build")},
			strings.Fields(place)...)
		if err := cbuild.Run(sdk, nil, "make", arguments...); err != nil {
			return i, err
		}
	}
	packaged, err := os.ReadFile(filepath.Join(stage, "opt/other/lib/pkgconfig/upload_response.pc"))
	i.packaged = string(packaged)
	return i, err
})

// install installs the SDK and returns its prefix.
func install(t *testing.T) string {
	t.Helper()
	need(t, "make")
	cbuild.Compiler(t)
	i, err := installed()
	harness.Check(t, err)
	if !strings.Contains(i.packaged, "prefix=/opt/other\n") {
		t.Errorf("the package's file for pkg-config is\n%s", i.packaged)
	}
	return i.prefix
}

// serveInstalled checks that a program serves requests.
func serveInstalled(t *testing.T, path, prefix string) {
	t.Helper()
	s := harness.Start(t, nil)
	startBuilt(t, s, []string{path}, "LD_LIBRARY_PATH="+filepath.Join(prefix, "lib"))
	if got := getText(t, s, "/"); got != "hello world\n" {
		t.Errorf("got %q", got)
	}
}

func TestTheWorkerOfTheManualBuildsWithPkgConfig(t *testing.T) {
	t.Parallel()
	need(t, "pkg-config")
	prefix := install(t)
	dir := t.TempDir()
	source, path := filepath.Join(dir, "hello.c"), filepath.Join(dir, "hello")
	harness.Check(t, os.WriteFile(source, []byte(manual(t)), 0o600))
	env := []string{"PKG_CONFIG_PATH=" + filepath.Join(prefix, "lib/pkgconfig")}
	flags := strings.Fields(run(t, dir, env, "pkg-config", "--cflags", "--libs", "upload_response"))
	run(t, dir, nil, cbuild.Compiler(t),
		append([]string{"-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-o", path, source},
			flags...)...)
	needed := run(t, dir, []string{"LD_LIBRARY_PATH=" + filepath.Join(prefix, "lib")}, "ldd", path)
	if !strings.Contains(needed, filepath.Join(prefix, "lib/libupload_response.so.0")) {
		t.Errorf("the program is linked with\n%s", needed)
	}
	serveInstalled(t, path, prefix)
}

func TestTheWorkerOfTheManualBuildsWithCMake(t *testing.T) {
	t.Parallel()
	need(t, "cmake")
	prefix := install(t)
	dir := t.TempDir()
	harness.Check(t, os.WriteFile(filepath.Join(dir, "hello.c"), []byte(manual(t)), 0o600))
	harness.Check(t, os.WriteFile(filepath.Join(dir, "CMakeLists.txt"), []byte(`cmake_minimum_required(VERSION 3.16)
project(hello C)
find_package(upload_response 0.1 REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello upload_response::upload_response)
add_executable(hello_static hello.c)
target_link_libraries(hello_static upload_response::static)
add_executable(hello_header hello.c)
target_link_libraries(hello_header upload_response::header)
`), 0o600))
	run(t, dir, nil, "cmake", "-DCMAKE_PREFIX_PATH="+prefix, "-S", ".", "-B", "build")
	run(t, dir, nil, "cmake", "--build", "build")
	serveInstalled(t, filepath.Join(dir, "build/hello"), prefix)
	for _, alone := range []string{"build/hello_static", "build/hello_header"} {
		serveInstalled(t, filepath.Join(dir, alone), t.TempDir()) // without a library to load
	}
}

func TestTheWorkerOfTheManualIsCPlusPlusToo(t *testing.T) {
	t.Parallel()
	include, err := filepath.Abs(filepath.Join(sdk, "include"))
	harness.Check(t, err)
	for _, compiler := range []string{"g++", "clang++"} {
		t.Run(compiler, func(t *testing.T) {
			t.Parallel()
			need(t, compiler)
			dir := t.TempDir()
			source, path := filepath.Join(dir, "hello.cc"), filepath.Join(dir, "hello")
			harness.Check(t, os.WriteFile(source, []byte(manual(t)), 0o600))
			run(t, dir, nil, compiler, "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I",
				include, "-o", path, source)
			serveInstalled(t, path, dir)
		})
	}
}
