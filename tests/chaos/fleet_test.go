package chaos_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/python"
)

// kind is one kind of worker process.
type kind struct {
	name  string
	start func(t testing.TB, env ...string) *harness.Process
}

// kinds are all the workers there are; another SDK's is one more line.
func kinds(t testing.TB) []kind {
	list := []kind{{"go", goWorker}}
	if cbuild.Find() == "" {
		t.Log("GO WORKERS ONLY: there is no C compiler; install gcc or clang, or set CC")
		return list
	}
	list = append(list, kind{"c with a futex", cWorker("UR_BELL=futex")},
		kind{"c with an eventfd", cWorker("UR_BELL=eventfd")})
	if python.Find() == "" {
		t.Log("NO PYTHON WORKERS: install python3, 3.9 or later, or set PYTHON")
		return list
	}
	return append(list, kind{"python", pythonWorker})
}

func goWorker(t testing.TB, env ...string) *harness.Process {
	return harness.StartProcess(t, "worker", env...)
}

func pythonWorker(t testing.TB, env ...string) *harness.Process {
	command, needed := python.Program(t, "tests/chaos_worker.py")
	return harness.StartProgram(t, io.Discard, command, append(env, needed...)...)
}

func cWorker(setting string) func(t testing.TB, env ...string) *harness.Process {
	return func(t testing.TB, env ...string) *harness.Process {
		return harness.StartProgram(t, io.Discard, []string{cbuild.Program(t, "tests/chaos.c")},
			append(env, setting)...)
	}
}

// member is a place in the fleet: one worker process, and after its death another.
type member struct {
	fleet *fleet
	pool  string
	kind  kind
	*harness.Process
}

// fleet is the worker processes of a server.
type fleet struct {
	t       testing.TB
	server  *harness.Server
	kinds   []kind
	members []*member
}

// startFleet starts two workers of each kind for the pool of most requests, and
// one for the pool that is sometimes without any.
func startFleet(t testing.TB, s *harness.Server) *fleet {
	f := &fleet{t: t, server: s, kinds: kinds(t)}
	for i, k := range f.kinds {
		f.members = append(f.members, &member{fleet: f, pool: "default", kind: k},
			&member{fleet: f, pool: "default", kind: k})
		if i == 0 {
			f.members = append(f.members, &member{fleet: f, pool: "alone", kind: k})
		}
	}
	for _, m := range f.members {
		f.start(m)
	}
	f.awaitAttached()
	return f
}

func (f *fleet) awaitAttached() {
	f.t.Helper()
	harness.Eventually(f.t, "all workers to attach", func() bool {
		return f.server.Router.Stats().Links == len(f.members)
	})
}

func (f *fleet) start(m *member) {
	m.Process = m.kind.start(f.t, harness.SocketVariable+"="+f.server.Socket, poolVariable+"="+m.pool)
}

// strike kills a random worker and starts another in its place. In the pool of one,
// the kinds take turns.
func (f *fleet) strike(r *rand.Rand) {
	m := f.members[r.IntN(len(f.members))]
	m.Kill()
	if how := m.How(); how != "signal: killed" {
		f.t.Errorf("a worker (%s) did not live until it was killed: %s\n%s", m.kind.name, how, m.Output())
	}
	m.wantContent()
	if m.pool == "alone" {
		m.kind = f.kinds[r.IntN(len(f.kinds))]
	}
	f.start(m)
}

// wantContent checks that the worker had nothing to say about the server.
func (m *member) wantContent() {
	f := m.fleet
	for _, bad := range []string{"broke the protocol", "bad request from the server", "WARN", "ERROR"} {
		if strings.Contains(m.Output(), bad) {
			f.t.Errorf("a worker (%s) is not content:\n%s", m.kind.name, m.Output())
			return
		}
	}
}

// end asks every worker to end, and sees that it does so in order.
func (f *fleet) end() {
	for _, m := range f.members {
		m.Signal(syscall.SIGTERM)
	}
	for _, m := range f.members {
		if status := m.Wait(); status != 0 {
			f.t.Errorf("a worker (%s) ended with %s\n%s", m.kind.name, m.How(), m.Output())
		}
		m.wantContent()
	}
	harness.Eventually(f.t, "all links to go", func() bool { return f.server.Router.Stats().Links == 0 })
}
