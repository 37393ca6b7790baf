package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/bench/report"
)

// benchReport runs a benchmark as a process, with real ones below it, and returns what
// it found.
func benchReport(t *testing.T, args ...string) *report.Report {
	t.Helper()
	command := exec.Command(os.Args[0], append([]string{"bench"}, args...)...)
	command.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0") // there are many, and each would wait at its end
	var errors bytes.Buffer
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &errors)
	}
	r := &report.Report{}
	if err := json.Unmarshal(out, r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// wantRows fails the test unless a table has exactly these rows, with figures of the
// metric in every round.
func wantRows(t *testing.T, table *report.Table, metric string, names ...string) {
	t.Helper()
	var got []string
	for _, r := range table.Rows {
		got = append(got, r.Name)
		if f := r.Figure(metric); f == nil || f.Rounds != 2 || f.Median <= 0 {
			t.Errorf("%s: %s: %s: %+v", table.Title(), r.Name, metric, f)
		}
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s: rows %q, want %q", table.Title(), got, names)
	}
}

func TestBenchOfHTTPMeasuresEveryCaseBesideItsLimits(t *testing.T) {
	t.Parallel()
	workers := []string{"go"}
	if _, err := exec.LookPath("cc"); err == nil {
		workers = append(workers, "c")
	}
	r := benchReport(t, "http", "--rounds=2", "--size=1MiB", "--time=10ms", "--connections=2", "--workers="+strings.Join(workers, ","), "--json=-")
	metrics := []string{"speed", "speed", "speed", "rate", "p50"}
	if want := len(metrics) * 5; len(r.Tables) != want {
		t.Fatalf("%d tables, want %d; not measured: %v", len(r.Tables), want, r.NotMeasured)
	}
	for i, table := range r.Tables {
		metric, limits := metrics[i%len(metrics)], []string{"in-process"}
		if table.Protocol == "h1" && metric == "speed" {
			limits = []string{"tcp", "in-process"}
		}
		if table.Protocol == "h1" && table.Case == "echo" {
			limits = []string{"tcp", "tcp sink", "in-process"}
		}
		wantRows(t, table, metric, append(slices.Clone(limits), workers...)...)
		for _, w := range workers {
			if ratios := table.Row(w).Figure(metric).Ratios; len(ratios) != len(limits) {
				t.Errorf("%s: %s: ratios %+v", table.Title(), w, ratios)
			}
		}
	}
}

func TestBenchOfTheRingMeasuresBytesAndRoundTrips(t *testing.T) {
	t.Parallel()
	r := benchReport(t, "ring", "--rounds=2", "--size=4MiB", "--time=10ms", "--readers=1,3", "--json=-")
	if len(r.NotMeasured) > 0 {
		t.Error(r.NotMeasured)
	}
	var titles []string
	for _, table := range r.Tables {
		titles = append(titles, table.Title())
		for _, row := range table.Rows {
			if first := row.Figures[0]; first.Rounds != 2 || first.Median <= 0 || len(first.Ratios) == 0 && !row.Limit {
				t.Errorf("%s: %s: %+v", table.Title(), row.Name, first)
			}
		}
	}
	for _, want := range []string{"slot size", "concurrent streams", "several readers", "both asleep, on one core"} {
		if !strings.Contains(strings.Join(titles, "\n"), want) {
			t.Errorf("no %q in %q", want, titles)
		}
	}
}

func TestBenchShowsWhatWasMeasuredBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept, page, plot := filepath.Join(dir, "kept.json"), filepath.Join(dir, "page.md"), filepath.Join(dir, "plot.svg")
	before := benchReport(t, "ring", "--rounds=2", "--size=1MiB", "--cases=slot-sizes", "--json=-")
	text, err := json.Marshal(before)
	if err == nil {
		err = os.WriteFile(kept, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := call(nil, "bench", "show", "--from", kept, "--markdown", page, "--plot", plot, "--compare", kept)
	if status != 0 || !strings.Contains(stdout, "ring: slot size") || !strings.Contains(stdout, "+0.0%") {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	for _, path := range []string{page, plot, filepath.Join(dir, "page-ring.svg")} {
		if text, err := os.ReadFile(path); err != nil || len(text) < 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
}

func TestBenchOfMemoryCountsIdleStreams(t *testing.T) {
	t.Parallel()
	r := benchReport(t, "memory", "--rounds=2", "--streams=0,150", "--json=-")
	if len(r.Tables) != 4 || len(r.NotMeasured) > 0 {
		t.Fatalf("%d tables, want 4; not measured: %v", len(r.Tables), r.NotMeasured)
	}
	for _, table := range r.Tables {
		wantRows(t, table, "resident", "in-process", "go")
	}
}
