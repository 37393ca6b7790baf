package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/bench/report"
)

// asProgram makes the test binary behave as the program, which starts itself in roles.
const asProgram = "TEST_AS_UPLOAD_RESPONSE_BENCH"

// built is the program upload-response, which the tests measure.
var built string

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	dir, err := os.MkdirTemp("", "ur-bench-test")
	if err == nil {
		built, err = findProgram(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// findProgram returns the path of the server: UPLOAD_RESPONSE names one that is built already.
func findProgram(dir string) (string, error) {
	if path := os.Getenv("UPLOAD_RESPONSE"); path != "" {
		return path, nil
	}
	path := filepath.Join(dir, "upload-response")
	command := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../upload-response")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, err
}

// call runs the program in this process and returns what it printed and the exit status.
func call(args ...string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	p := &program{stdout: &out, stderr: &err, getenv: func(string) string { return "" }}
	status = p.main(args)
	return out.String(), err.String(), status
}

func TestMistakeIsOneLineWithAHintAndStatus2(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"", "no benchmark: want ring, http, memory, all or show (see 'upload-response-bench --help')"},
		{"show", "--from: which file? (see 'upload-response-bench show --help')"},
		{"disk", `unknown benchmark "disk": want ring, http, memory, all or show`},
		{"http --protocols h1,h4", `--protocols "h1,h4": want some of h1,tls,h2c,h2,h3, with commas between them`},
		{"http --connections 0", `--connections "0": want whole numbers from 1 to 4096, with commas between them`},
		{"http --target nginx", `--target "nginx": want NAME=URL, such as nginx=http://127.0.0.1:8081`},
	} {
		stdout, stderr, status := call(strings.Fields(test.args)...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, printed %q and %q", test.args, status, stdout, stderr)
		}
		if !strings.HasPrefix(stderr, "upload-response-bench: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: %q, want %q in it", test.args, stderr, test.want)
		}
	}
}

func TestHelpGoesToStandardOutputAndFits(t *testing.T) {
	for _, args := range []string{"--help", "help", "ring --help", "http --help", "memory -h", "all --help",
		"show --help"} {
		stdout, stderr, status := call(strings.Fields(args)...)
		if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "upload-response-bench") {
			t.Errorf("%q: status %d, printed %q and %q", args, status, stdout, stderr)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 121 {
				t.Errorf("%q: a line of %d characters: %s", args, len(line), line)
			}
		}
	}
}

// benchReport runs a benchmark as a process, with real ones below it, and returns what
// it found.
func benchReport(t *testing.T, args ...string) *report.Report {
	t.Helper()
	command := exec.Command(os.Args[0], append(args, "--json=-")...)
	command.Env = append(os.Environ(), asProgram+"=1", "UPLOAD_RESPONSE_SERVER="+built,
		"GORACE=atexit_sleep_ms=0") // there are many, and each would wait at its end
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

// wantRows ends the test unless a table has exactly these rows, and fails it unless they have
// figures of the metric in every round.
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
		t.Fatalf("%s: rows %q, want %q", table.Title(), got, names)
	}
}

func TestBenchOfHTTPMeasuresEveryCaseBesideItsLimits(t *testing.T) {
	t.Parallel()
	workers := []string{"go"}
	if _, err := exec.LookPath("cc"); err == nil {
		workers = append(workers, "c")
	}
	r := benchReport(t, "http", "--rounds=2", "--size=1MiB", "--time=10ms", "--connections=2",
		"--workers="+strings.Join(workers, ","))
	if len(r.NotMeasured) > 0 {
		t.Fatalf("not measured: %v", r.NotMeasured)
	}
	metrics := []string{"speed", "speed", "speed", "rate", "p50"}
	if want := len(metrics) * 5; len(r.Tables) != want {
		t.Fatalf("%d tables, want %d", len(r.Tables), want)
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
	r := benchReport(t, "ring", "--rounds=2", "--size=4MiB", "--time=10ms", "--readers=1,3")
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
	before := benchReport(t, "ring", "--rounds=2", "--size=1MiB", "--cases=slot-sizes")
	text, err := json.Marshal(before)
	if err == nil {
		err = os.WriteFile(kept, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := call("show", "--from", kept, "--markdown", page, "--plot", plot, "--compare", kept)
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
	r := benchReport(t, "memory", "--rounds=2", "--streams=0,150")
	if len(r.Tables) != 4 || len(r.NotMeasured) > 0 {
		t.Fatalf("%d tables, want 4; not measured: %v", len(r.Tables), r.NotMeasured)
	}
	for _, table := range r.Tables {
		wantRows(t, table, "resident", "in-process", "go")
	}
}
