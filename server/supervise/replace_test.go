package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// obedient is a script that ends by SIGTERM.
const obedient = `trap 'exit 0' TERM; while :; do sleep 0.01; done`

// stubborn is one that has to be killed.
const stubborn = `trap '' TERM; while :; do sleep 0.01; done`

// minds reports whether a process handles a signal, or ignores it: our scripts do, once they
// have come so far.
func minds(pid int, signal unix.Signal) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	var all uint64
	for _, name := range []string{"SigIgn:", "SigCgt:"} {
		_, rest, _ := strings.Cut(string(text), name)
		field, _, _ := strings.Cut(rest, "\n")
		mask, _ := strconv.ParseUint(strings.TrimSpace(field), 16, 64)
		all |= mask
	}
	return all&(1<<(signal-1)) != 0
}

// attaching says of every process that it has attached, once, when it minds SIGTERM, until the end
// of the test, as the server would.
func attaching(t *testing.T, s *Supervisor) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		told := map[int]bool{}
		for ; !isClosed(stop); time.Sleep(5 * time.Millisecond) {
			for pid := range s.runningByPID() {
				if !told[pid] && minds(pid, unix.SIGTERM) {
					told[pid] = true
					s.Attached(pid, pid, 0)
				}
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
}

// ready waits until all processes of the first app have attached, and returns their
// numbers.
func ready(t *testing.T, s *Supervisor) (pids []int) {
	t.Helper()
	eventually(t, "all workers", func() bool {
		pids = nil
		for _, w := range s.Workers() {
			if w.State == StateRunning {
				pids = append(pids, w.PID)
			}
		}
		a := status(s)
		return a.Ready == a.Processes && len(pids) == a.Processes
	})
	return pids
}

func TestARestartReplacesOneWorkerAfterTheOtherByNewOnes(t *testing.T) {
	var r recorder
	a := shell(obedient)
	a.Processes = 3
	s := running(t, r.config(), a)
	attaching(t, s)
	old := ready(t, s)
	var least, most atomic.Int64
	least.Store(3)
	done := make(chan error, 1)
	go func() { done <- s.Restart("p") }()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			least.Store(min(least.Load(), int64(status(s).Ready)))
			most.Store(max(most.Load(), int64(len(s.runningByPID()))))
		}
	}
	now := ready(t, s)
	for _, pid := range now {
		if slices.Contains(old, pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	eventually(t, "the end of the old ones", func() bool { return status(s).Exits[ReasonReload] == 3 })
	if least.Load() < 3 || most.Load() > 6 {
		t.Errorf("%d had attached at least, %d ran at most", least.Load(), most.Load())
	}
	if err := s.Restart("p/1"); err != nil {
		t.Fatal(err)
	}
	last := ready(t, s)
	if last[0] != now[0] || last[1] == now[1] || last[2] != now[2] {
		t.Errorf("%d, then %d", now, last)
	}
	for _, name := range []string{"q", "p/3", "p/-1", "p/x", ""} {
		if err := s.Restart(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAWorkerThatDoesNotComeUpLeavesTheOldOneInPlace(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	var r recorder
	a := shell(`test ! -e ` + broken + ` || exit 9; ` + obedient)
	a.Processes = 2
	s := running(t, r.config(), a)
	attaching(t, s)
	old := ready(t, s)
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"p", "p/1"} {
		err := s.Restart(name)
		if err == nil || !strings.Contains(err.Error(), "ended before it attached: exit status 9") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := ready(t, s); !slices.Equal(now, old) || status(s).Failed != "" {
		t.Errorf("%d, then %d: %+v", old, now, status(s))
	}
}

func TestWithoutRoomForBothTheOldOneEndsFirst(t *testing.T) {
	var r recorder
	config := r.config()
	config.Free = func() int { return 0 }
	s := running(t, config, shell(obedient))
	attaching(t, s)
	old := ready(t, s)[0]
	most := 0
	done := make(chan error, 1)
	go func() { done <- s.Restart("p") }()
	for len(done) == 0 {
		most = max(most, len(s.runningByPID()))
	}
	if err := <-done; err != nil || most > 1 || ready(t, s)[0] == old {
		t.Errorf("%v, %d processes at once", err, most)
	}
}

// A process that has not attached yet will need the memory that seems to be free.
func TestThePlaceOfAProcessThatStartsIsNotGivenAway(t *testing.T) {
	var r recorder
	config := r.config()
	config.Free = func() int { return 1 }
	app := shell(obedient)
	app.Processes = 2
	s := running(t, config, app)
	var first, second int
	eventually(t, "both processes", func() bool {
		for _, w := range s.Workers() {
			switch w.Name {
			case "p/0":
				first = w.PID
			case "p/1":
				second = w.PID
			}
		}
		return first != 0 && second != 0 && minds(first, unix.SIGTERM)
	})
	s.Attached(first, first, 0)
	done := make(chan error, 1)
	go func() { done <- s.Restart("p/0") }()
	eventually(t, "the end of the one that is replaced", func() bool { return !alive(first) })
	var next int
	eventually(t, "the next one", func() bool {
		for pid := range s.runningByPID() {
			if pid != first && pid != second && minds(pid, unix.SIGTERM) {
				next = pid
			}
		}
		return next != 0
	})
	s.Attached(next, next, 0)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestApplyingTouchesOnlyWhatChanged(t *testing.T) {
	var r recorder
	app := func(name, script string) App {
		a := shell(script)
		a.Name = name
		return a
	}
	same, changed, gone := app("same", obedient), app("changed", obedient), app("gone", obedient)
	s := running(t, r.config(), same, changed, gone)
	attaching(t, s)
	pids := map[string]int{}
	eventually(t, "three workers", func() bool {
		for _, w := range s.Workers() {
			pids[w.Name] = w.PID
			if w.State != StateRunning {
				return false
			}
		}
		return true
	})
	changed.Environment = []string{"NEW=1"}
	same.Processes = 2 // is no reason to replace the first
	if err := s.Apply([]App{same, changed, app("new", obedient)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the four workers that there are to be", func() bool {
		names := map[string]int{}
		for _, w := range s.Workers() {
			if w.State != StateRunning {
				return false
			}
			names[w.Name] = w.PID
		}
		return len(names) == 4 && names["same/0"] == pids["same/0"] && names["same/1"] != 0 && names["new/0"] != 0 &&
			names["changed/0"] != pids["changed/0"] && !alive(pids["gone/0"]) && !alive(pids["changed/0"])
	})
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.Workers()[2].PID))
	if err != nil || !strings.Contains(string(environment), "NEW=1") {
		t.Errorf("%q, %v", environment, err)
	}
	for _, bad := range [][]App{{same, same}, {{Name: "x", Processes: 1}}, {NewApp("", []string{"x"})}} {
		if err := s.Apply(bad); err == nil || len(s.Apps()) != 3 {
			t.Errorf("%v, now %v", err, s.Apps())
		}
	}
}

func TestASettingThatBreaksTheWorkersIsTakenBack(t *testing.T) {
	var r recorder
	good := shell(obedient)
	s := running(t, r.config(), good)
	attaching(t, s)
	old := ready(t, s)[0]
	bad := shell("exit 5")
	if err := s.Apply([]App{bad}); err != nil {
		t.Fatal(err)
	}
	r.found(t, `msg="workers of the app were not replaced" app=p replaced=0`)
	if now := ready(t, s)[0]; now != old {
		t.Errorf("process %d, then %d", old, now)
	}
	if err := unix.Kill(old, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a worker like the old one", func() bool {
		return status(s).Ready == 1 && status(s).Exits[ReasonSignal] == 1
	})
}

func TestAStuckProcessIsReplacedBeforeItHasEnded(t *testing.T) {
	var r recorder
	config := r.config()
	var drained atomic.Int64
	config.Drain = func(leader int) <-chan struct{} {
		drained.Store(int64(leader))
		return make(chan struct{}) // never
	}
	a := shell(`trap 'echo stack of $$ >&2' USR1; ` + stubborn)
	a.Stop.Timeout = 2 * time.Second // in which a shell that gets no processor prints what it was asked for, too
	s := running(t, config, a)
	attaching(t, s)
	old := ready(t, s)[0]
	if worker := s.Stuck(old, old, int(unix.SIGUSR1)); worker != "p/0" {
		t.Errorf("worker %q", worker)
	}
	s.Stuck(old, old, int(unix.SIGUSR1)) // by another link
	eventually(t, "another that serves, while the old one is there", func() bool {
		now := s.Workers()
		return len(now) == 2 && now[0].State == StateRunning && now[0].PID != old && now[1].PID == old &&
			now[1].State == StateStopping && now[1].Reason == ReasonStuck
	})
	eventually(t, "the end of the stuck one", func() bool { return !alive(old) })
	r.found(t, fmt.Sprintf(`pid=%d how="signal: killed" worker=p/0 reason=stuck`, old))
	if got := fmt.Sprintf("stack of %d\n", old); strings.Count(r.stderr(), got) != 1 {
		t.Errorf("its stacks are not there once: %q", r.stderr())
	}
	if got := status(s).Exits[ReasonStuck]; got != 1 || drained.Load() != int64(old) {
		t.Errorf("%d exits, process %d was drained", got, drained.Load())
	}
	if worker := s.Stuck(os.Getpid(), os.Getpid(), 0); worker != "" {
		t.Errorf("we are worker %s", worker)
	}
}

func TestAStuckChildAmongOthersIsEndedAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "said")
	var r recorder
	a := shell(`for i in 1 2; do sh -c 'echo $$ >>` + file + `; while :; do sleep 0.01; done' & done; ` + obedient)
	s := running(t, r.config(), a)
	children := said(t, file, 2)
	first, second := pid(t, children[0]), pid(t, children[1])
	leader := onlyProcess(t, s)
	s.Attached(leader, first, 0)
	s.Attached(leader, second, 0)
	s.Stuck(leader, first, 0)
	eventually(t, "the end of the stuck child", func() bool { return !alive(first) })
	r.found(t, fmt.Sprintf("pid=%d killed=false worker=p/0 reason=stuck", first))
	if !alive(second) || !alive(leader) || status(s).Exits[ReasonStuck] != 1 {
		t.Errorf("the other: %v, the leader: %v, %+v", alive(second), alive(leader), status(s))
	}
	s.Stuck(leader, second, 0) // no other is there any more
	eventually(t, "the end of the leader", func() bool { return !alive(leader) && !alive(second) })
}

// onlyProcess returns the only process that runs.
func onlyProcess(t *testing.T, s *Supervisor) (leader int) {
	t.Helper()
	eventually(t, "a process", func() bool {
		for pid := range s.runningByPID() {
			leader = pid
		}
		return leader != 0
	})
	return leader
}

func TestAProcessThatHasServedEnoughIsReplaced(t *testing.T) {
	var r recorder
	config := r.config()
	var served atomic.Uint64
	var old []int
	config.Served = func() map[int]uint64 {
		n, by := served.Load(), map[int]uint64{}
		for i := 0; n > 0 && i < len(old); i++ {
			by[old[i]] = n
		}
		return by
	}
	a := shell(obedient)
	a.Processes, a.Recycle.Requests, a.Recycle.Jitter = 2, 100, 0.5
	s := running(t, config, a)
	attaching(t, s)
	old = ready(t, s)
	served.Store(99)
	time.Sleep(2 * usageEvery * loadInterval) // nothing is to happen
	if now := ready(t, s); !slices.Equal(now, old) {
		t.Errorf("%d, then %d", old, now)
	}
	served.Store(150)
	eventually(t, "the end of both", func() bool { return status(s).Exits[ReasonRequests] == 2 })
	if at := slices.IndexFunc(ready(t, s), func(pid int) bool { return slices.Contains(old, pid) }); at >= 0 {
		t.Errorf("process %d is still there", old[at])
	}
}

func TestAProcessThatIsOldOrLargeIsReplaced(t *testing.T) {
	for reason, change := range map[Reason]func(*App){
		ReasonLifetime: func(a *App) { a.Recycle.Lifetime = 100 * time.Millisecond },
		ReasonMemory: func(a *App) {
			a.Recycle.Memory = 64 << 20
			a.Command = []string{"/bin/sh", "-c", `x=$(head -c 50000000 /dev/zero | tr '\0' x); y=$x; ` + obedient}
		},
	} {
		var r recorder
		a := shell(obedient)
		change(&a)
		s := running(t, r.config(), a)
		attaching(t, s)
		eventually(t, "one that is replaced", func() bool { return status(s).Exits[reason] > 0 })
		r.found(t, "reason="+string(reason))
		s.Stop()
	}
}

func TestWhatAProcessTakesIsCounted(t *testing.T) {
	if u := usageOf(os.Getpid()); u.resident < 1<<20 || u.resident > 1<<33 || u.cpu <= 0 {
		t.Errorf("our own: %+v", u)
	}
	if u := usageOf(1 << 30); u != (usage{}) {
		t.Errorf("of nobody: %+v", u)
	}
}

func TestAnAppIsScaledByHand(t *testing.T) {
	var r recorder
	s := running(t, r.config(), shell(obedient))
	attaching(t, s)
	first := ready(t, s)
	if err := s.Scale("p", 3); err != nil {
		t.Fatal(err)
	}
	three := ready(t, s)
	if len(three) != 3 || three[0] != first[0] {
		t.Errorf("%d, then %d", first, three)
	}
	if err := s.Scale("p", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of two", func() bool { return status(s).Exits[ReasonScale] == 2 })
	if now := ready(t, s); !slices.Equal(now, first) {
		t.Errorf("%d, then %d", first, now)
	}
	for name, n := range map[string]int{"p": 0, "q": 1} {
		if err := s.Scale(name, n); err == nil {
			t.Errorf("%s=%d is accepted", name, n)
		}
	}
}

func TestTheNumberOfProcessesFollowsTheLoad(t *testing.T) {
	var r recorder
	config := r.config()
	var load atomic.Pointer[Load]
	load.Store(&Load{})
	config.Load = func(string) Load { return *load.Load() }
	a := shell(obedient)
	a.Scale = Scale{Min: 1, Max: 3, QueueWait: 50 * time.Millisecond, Idle: 300 * time.Millisecond}
	s := running(t, config, a)
	attaching(t, s)
	ready(t, s)
	load.Store(&Load{Lanes: 1, Busy: 1, Waiting: 9, Oldest: 60 * time.Millisecond})
	eventually(t, "three processes", func() bool { return len(ready(t, s)) == 3 })
	r.found(t, `msg="app scaled" app=p from=2 to=3 why="9 requests wait, the first for 60ms"`)
	if err := s.Scale("p", 4); err == nil {
		t.Error("more than the most")
	}
	load.Store(&Load{Lanes: 3, Busy: 2})
	time.Sleep(3 * a.Scale.Idle) // nothing is to happen: two would all be busy
	if now := ready(t, s); len(now) != 3 {
		t.Errorf("%d processes", len(now))
	}
	load.Store(&Load{Lanes: 3, Busy: 0})
	eventually(t, "one process", func() bool { return len(ready(t, s)) == 1 })
}

func TestAProcessThatIsReplacedFinishesBeforeItIsAskedToEnd(t *testing.T) {
	var r recorder
	config := r.config()
	drained := make(chan struct{})
	config.Drain = func(int) <-chan struct{} { return drained }
	s := running(t, config, shell(`trap 'echo asked >&2; exit 0' TERM; while :; do sleep 0.01; done`))
	attaching(t, s)
	old := ready(t, s)[0]
	if err := s.Restart("p"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the one that leaves", func() bool {
		now := s.Workers()
		return len(now) == 2 && now[1].PID == old && now[1].State == StateStopping
	})
	if strings.Contains(r.stderr(), "asked") {
		t.Error("it was asked to end while it had requests")
	}
	close(drained)
	eventually(t, "the end", func() bool { return !alive(old) && strings.Contains(r.stderr(), "asked") })
}
