package report

import (
	"fmt"
	"math"
	"strconv"
)

// number shows three significant digits, and whole numbers from 100 on.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1 || a == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// withSpread shows a median and, if there were several rounds, the least and the most.
func (f *Figure) withSpread() string {
	if f.Rounds < 2 || f.Cost {
		return number(f.Median)
	}
	return fmt.Sprintf("%s (%s-%s)", number(f.Median), number(f.Min), number(f.Max))
}

// limits returns the names of the limits to which figures of a metric have ratios.
func (t *Table) limits(metric string) (list []string) {
	seen := map[string]bool{}
	for _, r := range t.Rows {
		f := r.Figure(metric)
		if f == nil {
			continue
		}
		for _, ratio := range f.Ratios {
			if !seen[ratio.To] {
				seen[ratio.To] = true
				list = append(list, ratio.To)
			}
		}
	}
	return list
}

// grid returns the table as cells; the first row is the head.
func (t *Table) grid() [][]string {
	head := []string{""}
	metrics := t.metrics()
	for _, m := range metrics {
		head = append(head, m.Name+", "+m.Unit)
		for _, limit := range t.limits(m.Name) {
			head = append(head, "to "+limit)
		}
	}
	cells := [][]string{head}
	for _, r := range t.Rows {
		line := []string{r.Name}
		for _, m := range metrics {
			line = append(line, r.cells(m.Name, t.limits(m.Name))...)
		}
		cells = append(cells, line)
	}
	return cells
}

// cells returns the figure of a metric, and its ratios to the limits.
func (r *Row) cells(metric string, limits []string) []string {
	list := make([]string, 1+len(limits))
	f := r.Figure(metric)
	if f == nil {
		return list
	}
	list[0] = f.withSpread()
	for i, limit := range limits {
		for _, ratio := range f.Ratios {
			if ratio.To == limit {
				list[1+i] = strconv.FormatFloat(ratio.Median, 'f', 2, 64)
			}
		}
	}
	return list
}

// rounds returns how many rounds the figures of the table have.
func (t *Table) rounds() (n int) {
	for _, r := range t.Rows {
		for _, f := range r.Figures {
			n = max(n, f.Rounds)
		}
	}
	return n
}
