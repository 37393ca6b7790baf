package supervise_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// program returns the path of the server: UPLOAD_RESPONSE names one that is built already.
func program(t testing.TB) string {
	t.Helper()
	path, err := build()
	harness.Check(t, err)
	return path
}

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("UPLOAD_RESPONSE"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "supervise")
	if err != nil {
		return "", err
	}
	harness.AtEnd(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "upload-response")
	return path, cbuild.Run("../..", []string{"CGO_ENABLED=0"}, "go", "build", "-buildvcs=false", "-o", path,
		"./cmd/upload-response")
})

// record is a line of the log.
type record map[string]any

// text returns a value of the record as text.
func (r record) text(key string) string {
	s, _ := r[key].(string)
	return s
}

// records reads a log in JSON.
type records struct {
	mu    sync.Mutex
	rest  []byte // of a line that is not whole yet
	all   []record
	other []string // lines that are no records
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, p...)
	for {
		line, rest, found := bytes.Cut(r.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		r.rest = rest
		var one record
		if json.Unmarshal(line, &one) == nil {
			r.all = append(r.all, one)
		} else {
			r.other = append(r.other, string(line))
		}
	}
}

// since returns the records after the first n.
func (r *records) since(n int) []record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all[n:])
}

func (r *records) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}

// server is a program with worker processes of one kind.
type server struct {
	*harness.Process
	kind   kind
	url    string
	socket string // of the workers
	dies   string // path of what makes workers die at their start; empty: nothing does
	log    *records

	mu   sync.Mutex
	seen map[int]int // answers of clients, by status; see note
}

// start starts one, and waits until all workers are attached.
func start(t testing.TB, k kind, arguments ...string) *server {
	t.Helper()
	return startWith(t, k, nil, arguments...)
}

// startWith is start with more variables.
func startWith(t testing.TB, k kind, env []string, arguments ...string) *server {
	t.Helper()
	s := startOnly(t, k, env, arguments...)
	s.awaitLinks(t)
	return s
}

// startOnly starts one that listens, with more variables.
func startOnly(t testing.TB, k kind, env []string, arguments ...string) *server {
	t.Helper()
	folder, err := os.MkdirTemp("", "ur") // a short path, for the socket
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	command, needed := k.program(t)
	s := &server{kind: k, log: &records{}, socket: filepath.Join(folder, "w.sock")}
	s.Process = harness.StartProgram(t, s.log, slices.Concat([]string{
		program(t), "serve", "--listen", "127.0.0.1:0", "--socket", s.socket,
		"--log-format", "json", "--memory", "128MiB", "--link-memory", "2MiB", "--slot-size", "64KiB",
		"--route", "/=web", "--worker", "web=" + command,
	}, arguments), append(needed, env...)...)
	harness.Eventually(t, "the server to listen", func() bool {
		for _, r := range s.log.since(0) {
			if m := address.FindString(r.text("listen")); r.text("msg") == "ready" && m != "" {
				s.url = "http://" + m
			}
		}
		return s.url != "" || s.over()
	})
	if s.over() {
		t.Fatalf("the server has ended:\n%s", s.Output())
	}
	return s
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func (s *server) over() bool {
	select {
	case <-s.Ended():
		return true
	default:
		return false
	}
}

// links returns how many links the workers have together when all are well.
func (s *server) links() int {
	if s.kind.name == "c" || s.kind.name == "wsgi" { // one for each thread
		return processes * s.kind.lanes
	}
	return processes
}

// stats returns the counters of the server.
func (s *server) stats(t testing.TB) record {
	t.Helper()
	before := s.log.count()
	s.Signal(syscall.SIGUSR1)
	var found record
	harness.Eventually(t, "the counters", func() bool {
		i := slices.IndexFunc(s.log.since(before), func(r record) bool { return r.text("msg") == "stats" })
		if i >= 0 {
			found = s.log.since(before)[i]
		}
		return i >= 0
	})
	return found
}

// awaitLinks waits until all workers are attached, and none besides.
func (s *server) awaitLinks(t testing.TB) {
	t.Helper()
	harness.Eventually(t, "all workers to be attached", func() bool {
		time.Sleep(10 * time.Millisecond) // a pace: who is asked all the time has no time for others
		n, _ := s.stats(t)["links"].(float64)
		return int(n) == s.links()
	})
}

// children returns the processes that the server has started and that run.
func (s *server) children(t testing.TB) (pids []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.PID()))
	harness.Check(t, err)
	for _, task := range tasks {
		list, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(list)) {
			pid, err := strconv.Atoi(word)
			harness.Check(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// find returns the records after the first n that have these values, given in pairs. A value
// is a part of the record's.
func (s *server) find(n int, pairs ...string) (found []record) {
	for _, r := range s.log.since(n) {
		if has(r, pairs) {
			found = append(found, r)
		}
	}
	return found
}

func has(r record, pairs []string) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(r.text(pairs[i]), pairs[i+1]) {
			return false
		}
	}
	return true
}

// await waits for such a record after the first n.
func (s *server) await(t testing.TB, n int, pairs ...string) record {
	t.Helper()
	var found []record
	harness.Eventually(t, "a record with "+strings.Join(pairs, " "), func() bool {
		found = s.find(n, pairs...)
		return len(found) > 0
	})
	return found[0]
}
