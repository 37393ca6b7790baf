package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/server"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// statusAfter returns a status so many seconds after the start, with so many requests of which
// each has received 1 MiB a second. Others, which are over, have received 2 MiB a second and sent 3.
func statusAfter(seconds, requests int) *admin.Status {
	s := &admin.Status{Version: "1.2.3", PID: 7, Started: start, At: start.Add(time.Duration(seconds) * time.Second),
		Stats: server.Stats{Exchanges: int64(100 * seconds), ActiveStreams: int64(requests),
			Received: int64((2+requests)*seconds) << 20, Sent: int64(3*seconds) << 20}}
	s.Apps = []admin.App{{Name: "web", State: admin.AppReady, Processes: 2, Workers: 2, Lanes: 8, Busy: requests},
		{Name: "api", State: admin.AppFailed, Reason: "no worker comes up: exit status 3"}}
	s.Workers = []admin.Worker{{Name: "web/0", App: "web", State: admin.WorkerRunning, PID: 11, Started: true,
		Since: start, Links: 1, Lanes: 4, Busy: 1, Served: uint64(50 * seconds), Memory: 30 << 20,
		CPU: float64(seconds) / 2},
		{Name: "web/1", App: "web", State: "backing off", Started: true}}
	for i := range requests {
		s.Streams = append(s.Streams, admin.Stream{Age: float64(seconds), App: "web", Held: 2,
			StreamStatus: server.StreamStatus{ID: uint64(1000 + i), Method: "PUT", Worker: "web/0",
				Target: fmt.Sprintf("/file/%d\x1b[2J", i), State: "running", Received: int64(seconds) << 20,
				HeldBy: "client", HeldFor: 2 * time.Second}})
	}
	return s
}

func frameOf(before, now *admin.Status, width, height int) *frame {
	return &frame{status: now, rates: newRates(before, now), width: width, height: height}
}

func plainText(lines []string) string { return ansi.Strip(strings.Join(lines, "\n")) }

func TestAFrameShowsRatesAndWhoWaitsForWhom(t *testing.T) {
	got := plainText(frameOf(statusAfter(10, 1), statusAfter(12, 1), 120, 0).lines())
	for _, want := range []string{
		"upload-response 1.2.3  up 12.0s  live  100.0 requests/s  in 3.0 MiB/s  out 3.0 MiB/s  running 1",
		"web              ready         2/2", "api              failed", "no worker comes up: exit status 3",
		"web/0            running                    11", "50.0  30.0 MiB   50%", "web/1            backing off",
		"PUT /file/0\uFFFD[2J", "12.0 MiB   1.0 MiB", "client 2.0s",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestAFrameFitsItsTerminal(t *testing.T) {
	for _, size := range [][2]int{{200, 60}, {80, 24}, {40, 12}, {20, 5}} {
		m := &model{}
		m.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		m.Update(statusMessage{statusAfter(1, 100)})
		lines := m.lines()
		if len(lines) != size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if width := ansi.StringWidth(line); width > size[0] {
				t.Errorf("%v: a line of %d: %q", size, width, ansi.Strip(line))
			}
		}
	}
}

func TestANarrowFrameLeavesColumnsOut(t *testing.T) {
	for width, rows := range map[int][]string{
		120: {"PID             BUSY    SERVED      /S    MEMORY   CPU AGE",
			"RECEIVED        /S      SENT        /S WAITS FOR"},
		100: {"STATE                     PID    BUSY    SERVED      /S    MEMORY   CPU AGE",
			"SENT        /S WAITS FOR"},
		80: {"STATE                   BUSY      /S    MEMORY   CPU AGE", "RECEIVED      SENT WAITS FOR",
			"no worker comes up"},
		40: {"WORKER           STATE", "AGE REQUEST       WAITS FOR"},
	} {
		got := plainText(frameOf(statusAfter(10, 1), statusAfter(12, 1), width, 0).lines())
		for _, want := range rows {
			if !strings.Contains(got, want) {
				t.Errorf("%d: no %q in\n%s", width, want, got)
			}
		}
	}
}

func TestTheSelectedRowIsAlwaysInSight(t *testing.T) {
	m := &model{}
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 24})
	m.Update(statusMessage{statusAfter(1, 100)})
	for i := range 100 {
		want := fmt.Sprintf("/file/%d\uFFFD", i)
		if got := plainText(m.lines()); !strings.Contains(got, want) {
			t.Fatalf("row %d is not in\n%s", i, got)
		}
		m.press("down")
	}
	m.Update(statusMessage{statusAfter(2, 50)}) // the selected one is gone
	if m.frame.selected[streamPane] != "1000" {
		t.Errorf("selected is %s", m.frame.selected[streamPane])
	}
}

func TestNothingIsDoneWithoutAYes(t *testing.T) {
	m := &model{}
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 24})
	for _, key := range []string{"c", "r", "down", "tab"} { // there is nothing yet
		if m.press(key) != nil || m.question != nil {
			t.Errorf("%s does something", key)
		}
	}
	m.frame.pane = streamPane
	m.Update(statusMessage{statusAfter(1, 2)})
	m.press("r")
	if m.question != nil || !strings.Contains(plainText(m.lines()), "select a worker first") {
		t.Error("a request can be restarted")
	}
	m.press("c")
	if m.question == nil || !strings.Contains(plainText(m.lines()), "cancel PUT /file/0\uFFFD[2J?") {
		t.Fatalf("nothing is asked:\n%s", plainText(m.lines()))
	}
	if m.press("n") != nil || m.question != nil || !strings.Contains(plainText(m.lines()), "nothing was done") {
		t.Error("no is not taken for no")
	}
	m.press("tab")
	m.press("r")
	if m.question == nil || m.press("y") == nil {
		t.Error("yes is not taken for yes")
	}
}
