package report

import (
	"bytes"
	"os"
	"path/filepath"
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
	for _, want := range []string{"http, h1: upload, 1 GiB (median of 3 rounds", "1.50 (1.00-4.00)", "0.50", "to tcp", "250 (250-250)", "c worker: no compiler"} {
		if strings.Count(text.String(), want) != 1 {
			t.Errorf("not one %q in\n%s", want, &text)
		}
	}
}
