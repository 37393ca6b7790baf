// Package cbuild builds the C programs that tests run.
package cbuild

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// SDK is the folder of the C SDK, from the folder of a test package.
const SDK = "../../sdk/c"

// flagsVariable names the environment variable with flags for all programs, such as
// -fsanitize=thread.
const flagsVariable = "TEST_CFLAGS"

// patience is how long a compiler may take, also one that instruments what it
// compiles on a busy machine.
const patience = 6 * harness.Patience

// Find returns the C compiler: CC, if that is set, else the first there is, or "".
func Find() string {
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if name != "" {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
	}
	return ""
}

// Compiler is Find that skips the test if there is none.
func Compiler(t testing.TB) string {
	t.Helper()
	path := Find()
	if path == "" {
		t.Skip("no C compiler: install gcc or clang, or set CC")
	}
	return path
}

// Program returns the path of the program of a source file of the SDK, built with
// these flags. A program is built once in each run of a test binary.
func Program(t testing.TB, source string, flags ...string) string {
	t.Helper()
	path, err := builds.program(Compiler(t), source, append(flags, strings.Fields(os.Getenv(flagsVariable))...))()
	harness.Check(t, err)
	return path
}

// Library is Program for the shared library, without the flags of the variable: a
// sanitizer wants the program that loads a library to be built with it, too.
func Library(t testing.TB) string {
	t.Helper()
	path, err := builds.program(Compiler(t), "src/upload_response.c", []string{"-O2", "-shared", "-fPIC"})()
	harness.Check(t, err)
	return path
}

// builds is the programs that tests have had built.
var builds = cache{programs: map[string]func() (string, error){}}

type cache struct {
	sync.Mutex
	dir      string
	programs map[string]func() (string, error)
}

// program returns what waits for a program to be built, by whoever comes first.
func (c *cache) program(compiler, source string, flags []string) func() (string, error) {
	c.Lock()
	defer c.Unlock()
	key := strings.Join(append(flags, source), " ")
	if c.programs[key] == nil {
		number := strconv.Itoa(len(c.programs))
		c.programs[key] = sync.OnceValues(func() (string, error) { return c.build(number, compiler, source, flags) })
	}
	return c.programs[key]
}

func (c *cache) build(number, compiler, source string, flags []string) (string, error) {
	if err := touch(filepath.Join(SDK, "include"), filepath.Join(SDK, filepath.Dir(source))); err != nil {
		return "", err
	}
	dir, err := c.folder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, number+"-"+strings.TrimSuffix(filepath.Base(source), ".c"))
	arguments := append([]string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-I",
		filepath.Join(SDK, "include")}, flags...)
	arguments = append(arguments, "-o", path, filepath.Join(SDK, source), "-pthread")
	return path, Run("", nil, compiler, arguments...)
}

// folder returns the folder for what is built, which lives until the tests have run.
func (c *cache) folder() (string, error) {
	c.Lock()
	defer c.Unlock()
	if c.dir != "" {
		return c.dir, nil
	}
	dir, err := os.MkdirTemp("", "cbuild")
	if err == nil {
		err = os.Chmod(dir, 0o755) // workers may be other users
	}
	if err == nil {
		c.dir = dir
		harness.AtEnd(func() { _ = os.RemoveAll(dir) })
	}
	return dir, err
}

// touch opens all files of folders, so that the go command knows that the outcome
// depends on them: it does not see what a compiler reads, and would go on
// reporting a result from before a change of theirs.
func touch(folders ...string) error {
	for _, folder := range folders {
		files, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, file := range files {
			f, err := os.Open(filepath.Join(folder, file.Name()))
			if err != nil {
				return err
			}
			_ = f.Close()
		}
	}
	return nil
}

// Run runs a tool to its end, in a folder and with additional variables. Its error
// has what the tool printed.
func Run(dir string, env []string, name string, arguments ...string) error {
	_, err := Output(dir, env, name, arguments...)
	return err
}

// Output is Run that returns what the tool printed.
func Output(dir string, env []string, name string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return strings.TrimSpace(string(out)), err
}
