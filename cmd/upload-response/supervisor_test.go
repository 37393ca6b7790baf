package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPauseDoublesUpToABoundAndStartsAfreshAfterALongLife(t *testing.T) {
	var b backoff
	for i, step := range []struct{ life, want time.Duration }{
		{0, 100 * time.Millisecond}, {0, 200 * time.Millisecond}, {time.Second, 400 * time.Millisecond},
		{0, 800 * time.Millisecond},
		{0, 1600 * time.Millisecond}, {0, 3200 * time.Millisecond}, {0, 5 * time.Second},
		{9 * time.Second, 5 * time.Second},
		{10 * time.Second, 100 * time.Millisecond}, {0, 200 * time.Millisecond},
	} {
		if got := b.next(step.life); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}

// supervised keeps a shell script running until the end of the test. Each life
// of it appends what it says to the file whose name is returned.
func supervised(t *testing.T, script string) (*supervisor, string) {
	file := filepath.Join(t.TempDir(), "said")
	s := newSupervisor(slog.New(slog.DiscardHandler), []string{"SAID=" + file})
	s.start(workerSpec{pool: "p", argv: []string{"/bin/sh", "-c", script}})
	t.Cleanup(func() {
		if !s.stopped() {
			s.stop(0)
		}
	})
	return s, file
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
	s.stop(time.Minute)
	if time.Since(start) > 30*time.Second || alive(process) {
		t.Errorf("after %v, alive: %v", time.Since(start), alive(process))
	}
	if got := said(t, file, 2); len(got) != 2 || got[1] != "asked" {
		t.Errorf("%q", got)
	}
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	s, file := supervised(t, `trap '' TERM; echo $$ >>$SAID; while :; do sleep 0.01; done`)
	process := pid(t, said(t, file, 1)[0])
	s.stop(50 * time.Millisecond)
	if alive(process) {
		t.Error("still alive")
	}
}

func TestStopDoesNotWaitForTheNextStart(t *testing.T) {
	s := newSupervisor(slog.New(slog.DiscardHandler), nil)
	s.start(workerSpec{pool: "p", argv: []string{"/no/such/program"}})
	start := time.Now()
	s.stop(time.Minute)
	if time.Since(start) > 30*time.Second {
		t.Errorf("took %v", time.Since(start))
	}
}
