package supervise

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recorder keeps what a supervisor logs, prints and tells.
type recorder struct {
	mu      sync.Mutex
	text    bytes.Buffer // log and standard error
	printed bytes.Buffer // standard error
	events  []Event
	failed  []string
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *recorder) stderr() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.printed.String()
}

// config returns a configuration whose supervisor tells r what happens.
func (r *recorder) config() Config {
	return Config{
		Log: slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Stderr: Output{Write: func(_, worker string, lines []byte) {
			_, _ = r.Write(append([]byte(worker+" says: "), lines...))
			r.mu.Lock()
			defer r.mu.Unlock()
			r.printed.Write(lines)
		}},
		Failed: func(pool, how string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.failed = append(r.failed, pool+": "+how)
		},
		Recovered: func(pool string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.failed = append(r.failed, pool+" recovered")
		},
		OnEvent: func(e Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	}
}

// found waits until the log has a text, and fails the test if it does not come.
func (r *recorder) found(t *testing.T, text string) {
	t.Helper()
	eventually(t, text+" in\n"+r.String(), func() bool { return strings.Contains(r.String(), text) })
}

// status returns the first app.
func status(s *Supervisor) AppStatus { return s.Apps()[0] }

// attachAll says of all processes that start that they have attached, as the server does.
func attachAll(s *Supervisor) {
	for pid := range s.runningByPID() {
		s.Attached(pid, pid, 0)
	}
}

func TestAnEndHasAReasonThatIsCounted(t *testing.T) {
	for script, want := range map[string]struct {
		reason   Reason
		how      string
		ofItsOwn bool
	}{
		`exit 3`:          {ReasonExit, "exit status 3", true},
		`kill -SEGV $$`:   {ReasonSignal, "signal: segmentation fault", true},
		`kill -KILL $$`:   {ReasonSignal, "signal: killed", false},
		`exec /dev/null`:  {ReasonExit, "exit status 126", true},
		`exec no-such-pr`: {ReasonExit, "exit status 127", true},
	} {
		var r recorder
		s := running(t, r.config(), shell(script))
		eventually(t, "an exit", func() bool { return status(s).Exits[want.reason] > 0 })
		r.found(t, `how="`+want.how)
		r.found(t, "reason="+string(want.reason))
		r.mu.Lock()
		pid := r.events[0].PID
		r.mu.Unlock()
		exit, known := s.Ended(context.Background(), pid)
		if !known || exit.Reason != want.reason || exit.OfItsOwn != want.ofItsOwn ||
			!strings.HasPrefix(exit.How, want.how) || exit.Ended.Before(exit.Started) {
			t.Errorf("%s: %+v, known: %v", script, exit, known)
		}
	}
}

func TestTheEndOfAProcessThatRunsIsUnknown(t *testing.T) {
	s, file := supervised(t, `echo $$ >>$SAID; exec sleep 1000`)
	leader := pid(t, said(t, file, 1)[0])
	soon, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, known := s.Ended(soon, leader); known {
		t.Error("it is known")
	}
	ended := make(chan bool, 1)
	go func() {
		exit, known := s.Ended(context.Background(), leader)
		ended <- known && exit.How == "signal: terminated" && !exit.OfItsOwn
	}()
	if err := unix.Kill(leader, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !<-ended {
		t.Error("it is not known how the process ended")
	}
	if _, known := s.Ended(context.Background(), os.Getpid()); known {
		t.Error("the end of somebody else is known")
	}
}

func TestAProcessThatDoesNotAttachInTimeIsReplaced(t *testing.T) {
	var r recorder
	a := shell(`trap '' TERM; while :; do sleep 0.01; done`)
	a.Start.Timeout, a.Stop.Timeout = 50*time.Millisecond, 10*time.Millisecond
	s := running(t, r.config(), a)
	eventually(t, "two that were too late", func() bool { return status(s).Exits[ReasonStart] >= 2 })
	r.found(t, `how="signal: killed" worker=p/0 reason=start`)

	a.Name = "q"
	if err := s.Apply([]App{a}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a process of another name that attached", func() bool {
		attachAll(s)
		return status(s).Name == "q" && status(s).Ready == 1
	})
	before := status(s).Exits[ReasonStart]
	time.Sleep(2 * a.Start.Timeout) // nothing is to happen
	if now := status(s); now.Ready != 1 || now.Exits[ReasonStart] != before {
		t.Errorf("one that has attached was replaced: %+v", now)
	}
}

func TestAnAppThatDoesNotComeUpHasFailedUntilItDoes(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	var r recorder
	a := shell(`test -e ` + ready + ` || exit 7; exec sleep 1000`)
	a.Start.GiveUpAfter, a.Processes = 3, 2
	s := running(t, r.config(), a)
	r.found(t, `msg="no worker of the pool comes up, its requests fail" pool=p how="exit status 7"`)
	if got := status(s); got.Failed != "exit status 7" || got.Exits[ReasonExit] < 5 || got.Ready != 0 {
		t.Errorf("%+v", got)
	}
	for _, w := range s.Workers() {
		if w.State != StateFailed && w.State != StateStarting {
			t.Errorf("%+v", w)
		}
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	restarted := make(chan error, 1)
	go func() { restarted <- s.Restart("p/0") }() // does not wait for the pause
	eventually(t, "a worker", func() bool { attachAll(s); return len(restarted) > 0 && status(s).Ready > 0 })
	if err := <-restarted; err != nil {
		t.Error(err)
	}
	r.found(t, `msg="a worker of the pool has come up" pool=p worker=p/0`)
	if took := time.Since(start); took > 10*time.Second || status(s).Failed != "" {
		t.Errorf("after %v: %+v", took, status(s))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := strings.Join(r.failed, ", "); got != "p: exit status 7, p recovered" {
		t.Error(got)
	}
	if strings.Count(r.text.String(), "no worker of the pool comes up") != 1 {
		t.Error("it is said again and again")
	}
}

// Deaths of a process that had attached do not add up: it may be one bad request a day.
func TestAnAppThatComesUpAgainHasNotFailed(t *testing.T) {
	var r recorder
	a := shell(`while :; do sleep 0.01; done`)
	a.Start.GiveUpAfter = 2
	s := running(t, r.config(), a)
	for n := range int64(4) {
		eventually(t, "a worker", func() bool { attachAll(s); return status(s).Ready > 0 })
		for pid := range s.runningByPID() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		eventually(t, "the end", func() bool { return status(s).Exits[ReasonSignal] == n+1 })
	}
	if got := status(s); got.Failed != "" {
		t.Errorf("%+v", got)
	}
}

func TestWhatEveryDyingProcessSaysIsPrintedOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "count")
	var r recorder
	// The number of the process, a time and an address are different each time.
	a := shell(`echo x >>` + file + `; echo "Traceback at $(date +%N) in $$:" >&2
		echo "  ModuleNotFoundError: shop 0x$$" >&2
		test $(wc -l <` + file + `) -ne 5 || echo "something else" >&2; exit 1`)
	s := running(t, r.config(), a)
	r.found(t, `output="as before, 3 times"`)
	eventually(t, "what is new", func() bool { return strings.Contains(r.stderr(), "something else") })
	eventually(t, "6 deaths", func() bool { return status(s).Exits[ReasonExit] >= 6 })
	s.Stop()
	if got := strings.Count(r.stderr(), "Traceback"); got != 3 { // the first, the fifth, and the one after it
		t.Errorf("%d times:\n%s", got, r.stderr())
	}
}

func TestWhatAWorkerSaysIsThereOnceItHasAttached(t *testing.T) {
	file := filepath.Join(t.TempDir(), "said")
	var r recorder
	s := running(t, r.config(), shell(`echo loading >&2; echo x >>`+file+`
		test $(wc -l <`+file+`) -gt 1 || exit 1; while :; do sleep 0.01; done`))
	said(t, file, 2)
	eventually(t, "a worker", func() bool { attachAll(s); return status(s).Ready > 0 })
	eventually(t, "the same line, of one that works", func() bool {
		return strings.Count(r.stderr(), "loading\n") == 2
	})
}

func TestLinesOfAWorkerAreNotTorn(t *testing.T) {
	var r recorder
	config := r.config()
	var chunks []string
	var mu sync.Mutex
	config.Stdout = Output{Write: func(_, _ string, lines []byte) {
		mu.Lock()
		defer mu.Unlock()
		chunks = append(chunks, string(lines))
	}}
	running(t, config, shell(`
		printf 'Traceback:\n  one\n  two\nEnd\n'
		printf half; sleep 0.1; printf ' and half\n'
		head -c 200000 /dev/zero | tr '\0' x; echo
		printf 'no end'; exec sleep 0.01`))
	eventually(t, "the last words", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(chunks) > 0 && strings.Contains(strings.Join(chunks, ""), "no end\n")
	})
	mu.Lock()
	defer mu.Unlock()
	if chunks[0] != "Traceback:\n  one\n  two\nEnd\n" || chunks[1] != "half and half\n" {
		t.Errorf("%.100q", chunks[:2])
	}
	for _, c := range chunks {
		if len(c) > 64<<10 {
			t.Errorf("%d bytes at once", len(c))
		}
	}
	if long := strings.Count(strings.Join(chunks, ""), "x"); long%200000 != 0 {
		t.Errorf("%d bytes of the long line", long)
	}
}
