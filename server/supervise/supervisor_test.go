package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPausesDoubleUpToABoundAndStartAfreshAfterALongLife(t *testing.T) {
	p := newPauses()
	for i, step := range []struct {
		life   time.Duration
		failed bool
		want   time.Duration
	}{
		{0, false, 100 * time.Millisecond}, {0, false, 200 * time.Millisecond},
		{time.Second, false, 400 * time.Millisecond},
		{0, false, 800 * time.Millisecond}, {0, false, 1600 * time.Millisecond}, {0, false, 3200 * time.Millisecond},
		{0, false, 5 * time.Second}, {9 * time.Second, false, 5 * time.Second},
		{0, true, 5 * time.Second}, {0, true, 10 * time.Second}, {0, true, 20 * time.Second},
		{0, true, 30 * time.Second}, {0, true, 30 * time.Second},
		{10 * time.Second, false, 100 * time.Millisecond}, {0, false, 200 * time.Millisecond},
	} {
		got := p.next(step.life, false, step.failed)
		spread := time.Duration(float64(step.want)*pauseSpread) + time.Millisecond
		if got < step.want-spread || got > step.want+spread {
			t.Errorf("step %d: %v, want %v or nearly", i, got, step.want)
		}
		if step.want == firstPause && got != firstPause {
			t.Errorf("step %d: the first pause is %v", i, got)
		}
	}
}

func TestThePauseIsShortAfterAProcessThatServed(t *testing.T) {
	p := newPauses()
	for range 10 {
		if got := p.next(0, true, false); got > servedPause {
			t.Errorf("a pause of %v", got)
		}
	}
	if got := p.next(0, false, false); got != firstPause {
		t.Errorf("a pause of %v after the first that did not", got)
	}
	for range 10 {
		p.next(0, false, false)
	}
	if got := p.next(0, false, false); got < 2*servedPause {
		t.Errorf("a pause of %v after the last of many", got)
	}
	if got := p.next(0, true, false); got > servedPause {
		t.Errorf("a pause of %v when one has served again", got)
	}
}

// shell returns an app of one process that runs a script.
func shell(script string) App {
	a := NewApp("p", []string{"/bin/sh", "-c", script})
	a.Stop.Timeout = time.Minute
	return a
}

// running starts a supervisor that runs apps until the end of the test.
func running(t *testing.T, c Config, apps ...App) *Supervisor {
	t.Helper()
	s := New(c)
	t.Cleanup(func() {
		s.mu.Lock()
		for p := range s.live {
			p.signal(unix.SIGKILL)
		}
		s.mu.Unlock()
		s.Stop()
	})
	if err := s.Apply(apps); err != nil {
		t.Fatal(err)
	}
	return s
}

// supervised keeps a shell script running until the end of the test. Each life
// of it appends what it says to the file whose name is returned.
func supervised(t *testing.T, script string) (*Supervisor, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "said")
	return running(t, Config{Environment: append(os.Environ(), "SAID="+file)}, shell(script)), file
}

// eventually fails the test unless ok returns true within a generous time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// said waits for n lines in a file and returns them.
func said(t *testing.T, file string, n int) (list []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d lines in %s", n, file), func() bool {
		text, _ := os.ReadFile(file)
		list = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		return strings.HasSuffix(string(text), "\n") && len(list) >= n
	})
	return list
}

func pid(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestProcessThatIsKilledIsStartedAgain(t *testing.T) {
	_, file := supervised(t, `echo $$ >>$SAID; exec sleep 1000`)
	first := pid(t, said(t, file, 1)[0])
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := pid(t, said(t, file, 2)[1])
	if first == second || alive(first) || !alive(second) {
		t.Errorf("first %d (alive: %v), second %d (alive: %v)", first, alive(first), second, alive(second))
	}
}

func TestProcessThatEndsWellIsStartedAgainToo(t *testing.T) {
	_, file := supervised(t, `echo x >>$SAID`)
	said(t, file, 3)
}

func TestChildrenOfADeadProcessAreGoneBeforeTheNextOne(t *testing.T) {
	_, file := supervised(t, `sleep 1000 & echo $! >>$SAID; exec sleep 1000`)
	child := pid(t, said(t, file, 1)[0])
	group, err := unix.Getpgid(child)
	if err != nil {
		t.Fatal(err)
	}
	if group == unix.Getpgrp() {
		t.Fatal("the process is in our own group: Ctrl-C would end it before us")
	}
	if err := unix.Kill(group, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	said(t, file, 2)
	eventually(t, "end of the child", func() bool { return !alive(child) })
}

func TestProcessLearnsPoolAndEnvironment(t *testing.T) {
	_, file := supervised(t, `echo "$UPLOAD_RESPONSE_POOL" >>$SAID; exec sleep 1000`)
	if got := said(t, file, 1)[0]; got != "p" {
		t.Errorf("pool %q", got)
	}
}

func TestStopAsksFirst(t *testing.T) {
	s, file := supervised(t, `trap 'echo asked >>$SAID; exit 0' TERM; echo $$ >>$SAID; while :; do sleep 0.01; done`)
	process := pid(t, said(t, file, 1)[0])
	start := time.Now()
	s.Stop()
	if time.Since(start) > 30*time.Second || alive(process) {
		t.Errorf("after %v, alive: %v", time.Since(start), alive(process))
	}
	if got := said(t, file, 2); len(got) != 2 || got[1] != "asked" {
		t.Errorf("%q", got)
	}
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "said")
	a := shell(`trap '' TERM; echo $$ >>$SAID; while :; do sleep 0.01; done`)
	a.Environment, a.Stop.Timeout = []string{"SAID=" + file}, 50*time.Millisecond
	s := running(t, Config{}, a)
	process := pid(t, said(t, file, 1)[0])
	s.Stop()
	if alive(process) {
		t.Error("still alive")
	}
}

func TestStopDoesNotWaitForTheNextStart(t *testing.T) {
	s := running(t, Config{}, NewApp("p", []string{"/no/such/program"}))
	start := time.Now()
	s.Stop()
	if time.Since(start) > 30*time.Second {
		t.Errorf("took %v", time.Since(start))
	}
	if err := s.Apply(nil); err != ErrStopped {
		t.Errorf("after that: %v", err)
	}
}
