package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Report is the result of a run.
type Report struct {
	Program     string        `json:"program"`
	Commands    []string      `json:"commands"`
	Time        time.Time     `json:"time"`
	Machine     Machine       `json:"machine"`
	Settings    []Setting     `json:"settings,omitempty"`
	Tables      []*Table      `json:"tables"`
	NotMeasured []NotMeasured `json:"not_measured,omitempty"`
}

// Setting is a setting of the run.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NotMeasured is something that should have been measured, and why it was not.
type NotMeasured struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Skip notes something that was not measured, and why.
func (r *Report) Skip(what, why string) {
	for _, n := range r.NotMeasured {
		if n.What == what && n.Why == why {
			return
		}
	}
	r.NotMeasured = append(r.NotMeasured, NotMeasured{what, why})
}

// Merge adds the result of another run on the same machine.
func (r *Report) Merge(other *Report) {
	r.Commands = append(r.Commands, other.Commands...)
	r.Tables = append(r.Tables, other.Tables...)
	for _, n := range other.NotMeasured {
		r.Skip(n.What, n.Why)
	}
	for _, s := range other.Settings {
		r.set(s)
	}
}

func (r *Report) set(s Setting) {
	for _, other := range r.Settings {
		if other == s {
			return
		}
	}
	r.Settings = append(r.Settings, s)
}

// Only returns the tables of one benchmark, as a report.
func (r *Report) Only(bench string) *Report {
	only := &Report{}
	for _, t := range r.Tables {
		if t.Bench == bench {
			only.Tables = append(only.Tables, t)
		}
	}
	return only
}

// WriteJSON writes the report so that Load can read it.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(r)
}

// LoadAll reads reports of the same machine, and merges them.
func LoadAll(paths []string) (all *Report, err error) {
	for _, path := range paths {
		r, err := Load(path)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = r
			continue
		}
		if !all.Machine.same(r.Machine) {
			return nil, fmt.Errorf("%s is of another machine: %s", path, r.Machine)
		}
		all.Merge(r)
	}
	return all, nil
}

// Load reads a report.
func Load(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: not a report: %w", path, err)
	}
	return r, nil
}
