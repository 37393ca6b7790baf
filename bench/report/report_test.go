package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var (
	speed = Metric{Name: "speed", Unit: "GB/s", Better: Higher}
	wait  = Metric{Name: "p50", Unit: "us", Better: Lower}
)

// example is a table of a limit and a candidate that is as good in one round and
// half as good in two.
func example() *Report {
	limit, ours := &Row{Name: "tcp", Limit: true}, &Row{Name: "go"}
	for i, v := range []float64{4, 2, 3} {
		limit.Add(speed, v)
		ours.Add(speed, v/float64(min(i, 1)+1))
		ours.Add(wait, 250)
	}
	t := &Table{Bench: "http", Case: "upload", Protocol: "h1", Detail: "1 GiB", Rows: []*Row{limit, ours}}
	t.Compare()
	return &Report{Program: "upload-response", Tables: []*Table{t}}
}

func TestRatioIsTheMedianOfThoseWithinTheRounds(t *testing.T) {
	f := example().Tables[0].Row("go").Figure("speed")
	if f.Median != 1.5 || f.Min != 1 || f.Max != 4 || f.Rounds != 3 {
		t.Errorf("%+v", f.Spread)
	}
	if len(f.Ratios) != 1 || f.Ratios[0].To != "tcp" || f.Ratios[0].Median != 0.5 || f.Ratios[0].Max != 1 {
		t.Errorf("%+v", f.Ratios)
	}
}

func TestMedianOfAnEvenCountIsBetweenTheTwoInTheMiddle(t *testing.T) {
	if m := SpreadOf([]float64{9, 1, 3, 5}).Median; m != 4 {
		t.Error(m)
	}
}

func TestReportComesBackFromJSONAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	var first, second bytes.Buffer
	if err := example().WriteJSON(&first); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Errorf("%s\n%s", &first, &second)
	}
}

func TestTextNamesFigureSpreadRatioAndRounds(t *testing.T) {
	r := example()
	r.Skip("c worker", "no compiler")
	r.Skip("c worker", "no compiler")
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http, h1: upload, 1 GiB (median of 3 rounds", "1.50 (1.00-4.00)", "0.50", "to tcp",
		"250 (250-250)", "c worker: no compiler"} {
		if strings.Count(text.String(), want) != 1 {
			t.Errorf("not one %q in\n%s", want, &text)
		}
	}
}

// curves is a report with a point for each of two sizes, and for each of two counts.
func curves() *Report {
	slots := &Table{Bench: "ring", Case: "slot size",
		Rows: []*Row{{Name: "memcpy", Limit: true}, {Name: "16 KiB", X: 16}, {Name: "64 KiB", X: 64}}}
	for i, row := range slots.Rows {
		row.Add(speed, float64(40-10*i))
	}
	r := &Report{Tables: []*Table{slots}}
	for _, n := range []float64{1, 16} {
		t := &Table{Bench: "http", Case: "small requests", Protocol: "h1", X: n,
			Rows: []*Row{{Name: "in-process", Limit: true}, {Name: "c & go"}}}
		for _, row := range t.Rows {
			row.Add(Metric{Name: "rate", Unit: "requests/s", Better: Higher}, 1000*n)
			row.Add(wait, 20)
			row.Add(Metric{Name: "p99", Unit: "us", Better: Lower}, 90)
		}
		r.Tables = append(r.Tables, t)
	}
	return r
}

func TestPlotsHaveACurveForEachRowAndALineForEachLimit(t *testing.T) {
	rows := curves().Plots()
	if len(rows) != 2 || len(rows[0]) != 1 || len(rows[1]) != 3 {
		t.Fatalf("%d rows of panels", len(rows))
	}
	if s := rows[0][0].Series; len(s) != 2 || len(s[0].Points) != 2 || s[0].Points[1].Median != 20 || !s[1].Limit {
		t.Errorf("slot sizes: %+v %+v", s[0], s[1])
	}
	if s := rows[1][0].Series; len(s) != 2 || s[1].Points[1] != (Point{16, SpreadOf([]float64{16000})}) {
		t.Errorf("connections: %+v %+v", s[0], s[1])
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	var svg bytes.Buffer
	if err := WriteSVG(&svg, curves().Plots()); err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(&svg); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPageHasTheMachineTheMethodAndEveryTable(t *testing.T) {
	r := example()
	r.Machine = ThisMachine()
	r.Skip("c worker", "no compiler")
	var page bytes.Buffer
	if err := r.WriteMarkdown(&page, "b-http.svg", "b-ring.svg"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{r.Machine.Kernel, "## Method", "## Exchanges", "](b-http.svg)",
		"### H1: upload, 1 GiB", "| go | 1.50 (1.00-4.00) | 0.50 |", "- c worker: no compiler"} {
		if strings.Count(page.String(), want) != 1 {
			t.Errorf("not one %q in\n%s", want, &page)
		}
	}
	if strings.Contains(page.String(), "b-ring.svg") {
		t.Error("a picture of what was not measured")
	}
}

func TestChangesSayWhatIsBeyondTheSpread(t *testing.T) {
	before, now := example(), example()
	for i := range 3 {
		now.Tables[0].Rows[1].Figures[0].Values[i] *= 10
	}
	f := now.Tables[0].Rows[1].Figures[0]
	f.Spread = SpreadOf(f.Values)
	var text bytes.Buffer
	if err := now.WriteChanges(&text, before); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+900.0% *", "+0.0%"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

func TestReportsOfOneMachineBecomeOne(t *testing.T) {
	var paths []string
	for i, machine := range []Machine{{CPU: "a", Load: 1}, {CPU: "a", Load: 2}, {CPU: "b"}} {
		r := example()
		r.Machine, r.Commands = machine, []string{strconv.Itoa(i)}
		var text bytes.Buffer
		if err := r.WriteJSON(&text); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(t.TempDir(), "r.json"))
		if err := os.WriteFile(paths[i], text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := LoadAll(paths[:2])
	if err != nil || len(r.Tables) != 2 || strings.Join(r.Commands, " ") != "0 1" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := LoadAll(paths); err == nil {
		t.Error("two machines became one")
	}
}
