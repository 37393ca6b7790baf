package supervise_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/python"
)

// diesVariable names the environment variable with the path of a file: while it exists, a
// worker dies at its start.
const diesVariable = "DIES_WHILE"

// kind is a kind of worker.
type kind struct {
	name  string
	lanes int // requests that a process serves at once
	// program returns the command of a worker, and the variables that it needs.
	program func(t testing.TB) (command string, env []string)
	deeds   []deed
}

// deed is something that a handler should not do.
type deed struct {
	path string
	// whole: it keeps the whole process from serving, not only its own thread or task. What
	// others have begun there fares as in a dead worker.
	whole bool
	// says is in the stacks that the worker prints; empty: they are not checked.
	says string
	// count is how many there are at the same time; 0: as many as all processes serve at once.
	count int
}

// kinds returns those that can be run here.
func kinds(t testing.TB) []kind {
	list := []kind{{
		name: "go", lanes: goLanes, program: goProgram,
		deeds: []deed{
			{path: "/hang", says: "GET /hang"}, {path: "/sleep", says: "GET /sleep"},
			{path: "/spin", says: "GET /spin", count: 1}, {path: "/deadlock", says: "GET /deadlock"},
		},
	}}
	if cbuild.Find() == "" {
		t.Log("no C compiler: no workers in C or Python")
		return list
	}
	list = append(list, kind{
		name: "c", lanes: 4, program: cProgram,
		deeds: []deed{
			{path: "/hang", says: "stack of a thread"}, {path: "/sleep"}, {path: "/spin", count: 1},
			{path: "/deadlock"},
		},
	})
	if python.Find() == "" {
		t.Log("no Python: no workers in it")
		return list
	}
	return append(list, kind{
		name: "wsgi", lanes: 4, program: pythonProgram("wsgi", "--threads"),
		deeds: []deed{
			{path: "/hang", says: " in hang"}, {path: "/sleep", says: " in thread 0x"},
			{path: "/spin", says: " in spin", count: 1},
			{path: "/gil", whole: true, says: " in hold_gil", count: processes},
		},
	}, kind{
		name: "asgi", lanes: 4, program: pythonProgram("asgi", "--concurrency"),
		deeds: []deed{
			{path: "/hang", says: " in a task (most recent call first)"}, {path: "/sleep", says: " in sleep"},
			{path: "/spin", whole: true, says: " in spin", count: processes},
			{path: "/gil", whole: true, says: " in hold_gil", count: processes},
			{path: "/deadlock", whole: true, says: " in deadlock", count: processes},
		},
	})
}

// kindNamed returns one of them, or skips the test if it cannot be run here.
func kindNamed(t testing.TB, name string) kind {
	t.Helper()
	for _, k := range kinds(t) {
		if k.name == name {
			return k
		}
	}
	t.Skipf("no workers of the kind %s", name)
	return kind{}
}

func goProgram(t testing.TB) (string, []string) {
	t.Helper()
	path, err := filepath.Abs(os.Args[0])
	harness.Check(t, err)
	return path, harness.Role("go")
}

func cProgram(t testing.TB) (string, []string) {
	t.Helper()
	return cbuild.Program(t, "../../tests/supervise/apps/misbehave.c", "-rdynamic") + " --threads 4", nil
}

func pythonProgram(kind, concurrency string) func(t testing.TB) (string, []string) {
	return func(t testing.TB) (string, []string) {
		t.Helper()
		folder, err := filepath.Abs("apps")
		harness.Check(t, err)
		command, env := python.Program(t, "unused")
		return command[0] + " -m upload_response " + kind + " misbehave_" + kind + ":app --app-dir " + folder + " " +
			concurrency + " " + strconv.Itoa(4), slices.Concat(env, []string{"PYTHONUNBUFFERED=1"})
	}
}
