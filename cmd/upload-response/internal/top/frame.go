package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// frame is what is shown of a status.
type frame struct {
	status *admin.Status
	rates  rates
	width  int
	height int // lines; 0: as many as there are

	pane     pane
	selected [panes]string // key of the row in each pane
}

// pane is a part of the frame in which rows can be selected.
type pane int

const (
	streamPane pane = iota
	workerPane
	panes
)

// lines returns the lines of the frame.
func (f *frame) lines() []string {
	list := append([]string{f.head()}, f.apps()...)
	list = append(list, "")
	workers, streams := f.workers(), f.streams()
	if f.height > 0 {
		room := f.height - len(list) - 2 // the title of the requests, and an empty line
		list = append(list, window(workers, f.indexOf(workerPane), min(len(workers), max(room/2, 3)))...)
		list = append(list, "", bold.Render("Requests"))
		return append(list, window(streams, f.indexOf(streamPane), max(f.height-len(list), 2))...)
	}
	list = append(list, workers...)
	list = append(list, "", bold.Render("Requests"))
	return append(list, streams...)
}

// window returns so many lines of a table: the head, and rows with the selected one among them.
func window(lines []string, selected, n int) []string {
	if len(lines) <= n || n < 1 {
		return lines
	}
	first := max(1, min(selected+1-(n-2), len(lines)-(n-1)))
	return append([]string{lines[0]}, lines[first:first+n-1]...)
}

// keys returns the keys of the rows of a pane.
func (f *frame) keys(p pane) (list []string) {
	if p == workerPane {
		for i := range f.status.Workers {
			list = append(list, workerKey(&f.status.Workers[i]))
		}
		return list
	}
	for i := range f.status.Streams {
		list = append(list, strconv.FormatUint(f.status.Streams[i].ID, 10))
	}
	return list
}

func workerKey(w *admin.Worker) string { return fmt.Sprintf("%s %d", w.Name, w.PID) }

// indexOf returns which row of a pane is selected, or -1.
func (f *frame) indexOf(p pane) int {
	for i, key := range f.keys(p) {
		if key == f.selected[p] {
			return i
		}
	}
	return -1
}

func (f *frame) isSelected(p pane, key string) bool { return f.pane == p && f.selected[p] == key }

func (f *frame) head() string {
	s := f.status
	state := good.Render("live")
	if s.Draining {
		state = warn.Render("about to end")
	}
	speed := "–"
	if f.rates.known {
		speed = fmt.Sprintf("%.1f requests/s  in %s/s  out %s/s", f.rates.requests,
			admin.FormatBytes(uint64(f.rates.total.received)), admin.FormatBytes(uint64(f.rates.total.sent)))
	}
	return bold.Render("upload-response "+s.Version) + faint.Render("  up "+admin.FormatAge(s.At.Sub(s.Started))+"  ") +
		state + fmt.Sprintf("  %s  running %d  waiting %d  failed %d", speed, s.Stats.ActiveStreams, s.Stats.Waiting,
		s.Stats.Failed)
}

var stateStyles = map[string]lipgloss.Style{
	admin.AppReady: good, admin.AppFailed: bad, admin.AppWaiting: warn, admin.AppDrained: warn,
	admin.WorkerRunning:  good,
	admin.WorkerStopping: warn, "starting": warn, "backing off": warn,
}

func (f *frame) apps() []string {
	columns := []column{{"APP", 16, false, 0}, {"STATE", 8, false, 0}, {"WORKERS", 8, true, 0},
		{"", 12, false, 1}, {"BUSY", 9, true, 0}, {"QUEUE", 6, true, 0}, {"RESTARTS", 8, true, 2}, {"", 0, false, 0}}
	var rows []row
	for i := range f.status.Apps {
		a := &f.status.Apps[i]
		workers := strconv.Itoa(a.Workers)
		if a.Processes > 0 {
			workers += "/" + strconv.Itoa(a.Processes)
		}
		queue := text(strconv.Itoa(a.Queue))
		if a.Queue > 0 {
			queue.style = warn
		}
		rows = append(rows, row{cells: []cell{{admin.Printable(a.Name), bold}, {a.State, stateStyles[a.State]},
			text(workers), {bar(a.Busy, a.Lanes, 12), cool}, text(fmt.Sprintf("%d/%d", a.Busy, a.Lanes)), queue,
			text(strconv.FormatInt(a.Restarts, 10)), {oneLine(a.Reason), bad}}})
	}
	return render(f.width, columns, rows)
}

func (f *frame) workers() []string {
	columns := []column{{"WORKER", 16, false, 0}, {"STATE", 20, false, 0}, {"PID", 8, true, 3},
		{"", 8, false, 1}, {"BUSY", 7, true, 0}, {"SERVED", 9, true, 2}, {"/S", 7, true, 5}, {"MEMORY", 9, true, 4},
		{"CPU", 5, true, 6}, {"AGE", 0, false, 0}}
	var rows []row
	for i := range f.status.Workers {
		w := &f.status.Workers[i]
		state := w.State
		if w.Reason != "" {
			state += " (" + w.Reason + ")"
		}
		pid, served, memory, cpu, since := "-", "", "-", "-", ""
		if w.PID != 0 {
			pid, since = strconv.Itoa(w.PID), admin.FormatAge(f.status.At.Sub(w.Since))
			if perSecond, known := f.rates.served[w.PID]; known {
				served = fmt.Sprintf("%.1f", perSecond)
			}
		}
		if w.Memory > 0 {
			memory = admin.FormatBytes(w.Memory)
			if used, known := f.rates.cpu[w.PID]; known {
				cpu = fmt.Sprintf("%.0f%%", used*100)
			}
		}
		rows = append(rows, row{cells: []cell{text(admin.Printable(w.Name)), {state, stateStyles[w.State]}, text(pid),
			{bar(w.Busy, w.Lanes, 8), cool}, text(fmt.Sprintf("%d/%d", w.Busy, w.Lanes)),
			text(strconv.FormatUint(w.Served, 10)), text(served), text(memory), text(cpu), {since, faint}},
			selected: f.isSelected(workerPane, workerKey(w))})
	}
	return render(f.width, columns, rows)
}

func (f *frame) streams() []string {
	columns := []column{{"AGE", 7, true, 0}, {"REQUEST", 0, false, 0}, {"WORKER", 14, false, 5},
		{"RECEIVED", 9, true, 3}, {"/S", 9, true, 1}, {"SENT", 9, true, 4}, {"/S", 9, true, 2},
		{"WAITS FOR", 18, false, 0}}
	var rows []row
	for i := range f.status.Streams {
		s := &f.status.Streams[i]
		flow := f.rates.streams[s.ID]
		worker := s.Worker
		if worker == "" {
			worker = s.App
		}
		rows = append(rows, row{cells: []cell{text(admin.FormatAge(seconds(s.Age))),
			text(s.Method + " " + oneLine(s.Target)), {oneLine(worker), faint},
			text(admin.FormatBytes(uint64(s.Received))), {speed(flow.received), cool}, text(admin.FormatBytes(s.Sent)),
			{speed(flow.sent), cool}, waitsFor(s)},
			selected: f.isSelected(streamPane, strconv.FormatUint(s.ID, 10))})
	}
	return render(f.width, columns, rows)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// oneLine returns text that cannot move the cursor.
func oneLine(s string) string { return strings.Join(strings.Fields(admin.Printable(s)), " ") }

func speed(bytes float64) string {
	if bytes < 1 {
		return ""
	}
	return admin.FormatBytes(uint64(bytes))
}

// waitsFor says who keeps a request waiting.
func waitsFor(s *admin.Stream) cell {
	held := ""
	if s.HeldFor > 0 {
		held = " " + admin.FormatAge(s.HeldFor)
	}
	switch {
	case s.HeldBy == "client":
		return cell{"client" + held, cool}
	case s.HeldBy == "worker":
		return cell{"worker" + held, warn}
	case s.State == "queued":
		return cell{"a free worker", warn}
	case s.State == "offered":
		return cell{"worker to begin", warn}
	case s.State == "ending":
		return cell{"the end", faint}
	}
	return text("")
}
