package report

import (
	"fmt"
	"maps"
	"slices"
)

// Panel is one set of axes.
type Panel struct {
	Title  string
	X, Y   string // what the axes show
	LogY   bool
	Series []*Series
}

// Series is a line.
type Series struct {
	Name   string
	Limit  bool // dashed
	Points []Point
}

// Point is a median, with the least and the most of the rounds.
type Point struct {
	X float64
	Spread
}

// Plots returns curves of the tables, in rows: speed by the size of a
// slot, and rate and latencies by the number of connections, a row for each protocol.
func (r *Report) Plots() (rows [][]*Panel) {
	for _, t := range r.Tables {
		if t.Bench == "ring" && t.hasX() {
			rows = append(rows, []*Panel{t.slotPanel()})
		}
	}
	byProtocol := map[string][]*Table{}
	var protocols []string
	for _, t := range r.Tables {
		if t.X == 0 {
			continue
		}
		if byProtocol[t.Protocol] == nil {
			protocols = append(protocols, t.Protocol)
		}
		byProtocol[t.Protocol] = append(byProtocol[t.Protocol], t)
	}
	for _, p := range protocols {
		rows = append(rows, connectionPanels(p, byProtocol[p]))
	}
	return rows
}

// hasX reports whether the rows of the table are points of a curve.
func (t *Table) hasX() bool {
	for _, r := range t.Rows {
		if r.X != 0 {
			return true
		}
	}
	return false
}

// slotPanel makes a curve of the rows, and a line of each limit.
func (t *Table) slotPanel() *Panel {
	p := &Panel{Title: t.Bench + ": speed by " + t.Case, X: "KiB in a slot", Y: "GB/s"}
	curve := &Series{Name: "ring"}
	for _, r := range t.Rows {
		if f := r.Figure("speed"); f != nil && r.X != 0 {
			curve.Points = append(curve.Points, Point{r.X, f.Spread})
		}
	}
	p.Series = append(p.Series, curve)
	first, last := curve.Points[0].X, curve.Points[len(curve.Points)-1].X
	for _, r := range t.Rows {
		if f := r.Figure("speed"); f != nil && r.Limit {
			p.Series = append(p.Series, &Series{r.Name, true, []Point{{first, f.Spread}, {last, f.Spread}}})
		}
	}
	return p
}

// connectionPanels makes curves of tables for different numbers of connections.
func connectionPanels(protocol string, tables []*Table) (list []*Panel) {
	for _, show := range []struct {
		metric, y string
		log       bool
	}{{"rate", "requests/s", false}, {"p50", "us", true}, {"p99", "us", true}} {
		p := &Panel{Title: fmt.Sprintf("%s: %s", protocol, show.metric), X: "connections", Y: show.y, LogY: show.log}
		for _, t := range tables {
			for _, r := range t.Rows {
				if f := r.Figure(show.metric); f != nil {
					s := p.series(r)
					s.Points = append(s.Points, Point{t.X, f.Spread})
				}
			}
		}
		list = append(list, p)
	}
	return list
}

// series returns the series with the name of a row.
func (p *Panel) series(r *Row) *Series {
	for _, s := range p.Series {
		if s.Name == r.Name {
			return s
		}
	}
	s := &Series{Name: r.Name, Limit: r.Limit}
	p.Series = append(p.Series, s)
	return s
}

func sorted(set map[float64]bool) []float64 { return slices.Sorted(maps.Keys(set)) }
