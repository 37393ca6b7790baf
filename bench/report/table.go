package report

import "slices"

// Table is the figures of candidates that were measured in turns.
type Table struct {
	Bench    string  `json:"bench"`              // the command: ring, http, memory
	Case     string  `json:"case"`               // the load that was measured
	Protocol string  `json:"protocol,omitempty"` // h1, tls, h2c, h2, h3
	Detail   string  `json:"detail,omitempty"`   // sizes, counts
	X        float64 `json:"x,omitempty"`        // connections, if this is a point of a curve
	Rows     []*Row  `json:"rows"`
}

// Row is the figures of one candidate.
type Row struct {
	Name    string    `json:"name"`
	Limit   bool      `json:"limit,omitempty"` // what the others are measured against
	X       float64   `json:"x,omitempty"`     // KiB in a slot, if this is a point of a curve
	Figures []*Figure `json:"figures"`
}

// Title names the table.
func (t *Table) Title() string {
	title := t.Bench
	if t.Protocol != "" {
		title += ", " + t.Protocol
	}
	title += ": " + t.Case
	if t.Detail != "" {
		title += ", " + t.Detail
	}
	return title
}

// Add adds the value of a metric that a round has yielded for the row.
func (r *Row) Add(m Metric, value float64) {
	f := r.Figure(m.Name)
	if f == nil {
		f = &Figure{Metric: m}
		r.Figures = append(r.Figures, f)
	}
	f.Values = append(f.Values, value)
	f.Spread = SpreadOf(f.Values)
}

// Figure returns the figure of a metric, or nil.
func (r *Row) Figure(name string) *Figure {
	for _, f := range r.Figures {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Row returns the row of a candidate, or nil.
func (t *Table) Row(name string) *Row {
	for _, r := range t.Rows {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Compare adds the ratios of every row to the limits in the table.
func (t *Table) Compare() {
	for _, r := range t.Rows {
		for _, limit := range t.Rows {
			if limit.Limit && !r.Limit {
				r.compare(limit)
			}
		}
	}
}

func (r *Row) compare(limit *Row) {
	for _, f := range r.Figures {
		if other := limit.Figure(f.Name); other != nil && f.Better != Neither && !f.Cost {
			f.compare(limit.Name, other)
		}
	}
}

// metrics returns the metrics of all rows, in the order of the row that has the most.
func (t *Table) metrics() (list []Metric) {
	seen := map[string]bool{}
	rows := slices.Clone(t.Rows)
	slices.SortStableFunc(rows, func(a, b *Row) int { return len(b.Figures) - len(a.Figures) })
	for _, r := range rows {
		for _, f := range r.Figures {
			if !seen[f.Name] {
				seen[f.Name] = true
				list = append(list, f.Metric)
			}
		}
	}
	return list
}
