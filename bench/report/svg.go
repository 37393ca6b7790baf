package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// Sizes of a panel, in pixels.
const (
	panelWidth  = 420
	panelHeight = 320
	marginLeft  = 62
	marginTop   = 34
	plotWidth   = 250
	plotHeight  = 230
)

// colours are ones that most people can tell apart, also on paper.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b",
	"#7f7f7f", "#bcbd22", "#17becf", "#9467bd", "#8b0000", "#2f4f4f", "#ff69b4", "#6b8e23"}

// WriteSVG draws panels.
func WriteSVG(w io.Writer, rows [][]*Panel) error {
	width := 0
	for _, row := range rows {
		width = max(width, len(row)*panelWidth)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d"`, width, len(rows)*panelHeight)
	b.WriteString(` font-family="sans-serif" font-size="11">` + "\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, len(rows)*panelHeight)
	for y, row := range rows {
		for x, p := range row {
			fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", x*panelWidth, y*panelHeight)
			p.draw(&b)
			b.WriteString("</g>\n")
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// axis maps values to pixels.
type axis struct {
	log        bool
	least      float64
	most       float64
	from, to   float64 // pixels
	marks      []float64
	markFormat func(float64) string
}

func (a *axis) at(v float64) float64 {
	least, most := a.least, a.most
	if a.log {
		v, least, most = math.Log(v), math.Log(least), math.Log(most)
	}
	if most == least {
		return (a.from + a.to) / 2
	}
	return a.from + (v-least)/(most-least)*(a.to-a.from)
}

func (p *Panel) draw(b *strings.Builder) {
	text(b, marginLeft, 16, "start", "bold", p.Title)
	x, y := p.xAxis(), p.yAxis()
	for _, v := range x.marks {
		at := x.at(v)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#eee"/>`+"\n", at, marginTop, at,
			marginTop+plotHeight)
		text(b, at, marginTop+plotHeight+15, "middle", "normal", x.markFormat(v))
	}
	for _, v := range y.marks {
		at := y.at(v)
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#eee"/>`+"\n", marginLeft, at,
			marginLeft+plotWidth, at)
		text(b, marginLeft-5, at+4, "end", "normal", y.markFormat(v))
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>`+"\n", marginLeft, marginTop,
		plotWidth, plotHeight)
	text(b, marginLeft+plotWidth/2, marginTop+plotHeight+32, "middle", "normal", p.X)
	text(b, 4, marginTop-7, "start", "normal", p.Y)
	for i, s := range p.Series {
		s.draw(b, x, y, colours[i%len(colours)], i)
	}
}

// draw draws the line, the spread at each point, and the entry in the legend.
func (s *Series) draw(b *strings.Builder, x, y *axis, colour string, i int) {
	dash := ""
	if s.Limit {
		dash = ` stroke-dasharray="5 3"`
	}
	var line []string
	for _, p := range s.Points {
		line = append(line, fmt.Sprintf("%.1f,%.1f", x.at(p.X), y.at(p.Median)))
		fmt.Fprintf(b,
			`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.4"/>`+"\n", x.at(p.X),
			y.at(p.Min), x.at(p.X), y.at(p.Max), colour)
		if !s.Limit {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", x.at(p.X), y.at(p.Median), colour)
		}
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"%s/>`+"\n", strings.Join(line, " "),
		colour, dash)
	const left, high = marginLeft + plotWidth + 8, 15
	at := marginTop + 8 + i*high
	fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="2"%s/>`+"\n", left, at, left+14, at,
		colour, dash)
	text(b, left+18, float64(at)+4, "start", "normal", strings.TrimPrefix(s.Name, "memcpy, "))
}

func text(b *strings.Builder, x, y float64, anchor, weight, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s">`, x, y, anchor, weight)
	_ = xml.EscapeText(b, []byte(s)) // a strings.Builder never fails
	b.WriteString("</text>\n")
}

// xAxis is logarithmic: sizes and counts go by powers of two. Marks stand at the points
// that have room for one.
func (p *Panel) xAxis() *axis {
	a := &axis{log: true, least: math.Inf(1), from: marginLeft + 12, to: marginLeft + plotWidth - 12, markFormat: whole}
	seen := map[float64]bool{}
	for _, s := range p.Series {
		for _, q := range s.Points {
			a.least, a.most = min(a.least, q.X), max(a.most, q.X)
			seen[q.X] = true
		}
	}
	last := math.Inf(-1)
	for _, v := range sorted(seen) {
		if at := a.at(v); at-last >= 24 {
			a.marks, last = append(a.marks, v), at
		}
	}
	return a
}

func (p *Panel) yAxis() *axis {
	a := &axis{log: p.LogY, from: marginTop + plotHeight, to: marginTop, least: math.Inf(1), markFormat: whole}
	for _, s := range p.Series {
		for _, q := range s.Points {
			a.least, a.most = min(a.least, q.Min), max(a.most, q.Max)
		}
	}
	if p.LogY {
		a.decades()
	} else {
		a.steps()
	}
	return a
}

// decades marks the powers of ten.
func (a *axis) decades() {
	a.least, a.most = math.Pow(10, math.Floor(math.Log10(a.least))), math.Pow(10, math.Ceil(math.Log10(a.most)))
	for v := a.least; v <= a.most*1.001; v *= 10 {
		a.marks = append(a.marks, v)
	}
}

// steps marks about five round numbers from zero on.
func (a *axis) steps() {
	a.least = 0
	step := math.Pow(10, math.Floor(math.Log10(a.most/4)))
	for _, times := range []float64{5, 2} {
		if a.most/(step*times) >= 3 {
			step *= times
			break
		}
	}
	a.most = math.Ceil(a.most/step) * step
	for v := 0.0; v <= a.most+step/2; v += step {
		a.marks = append(a.marks, v)
	}
}

// whole shows a number without trailing zeros.
func whole(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 10e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", math.Round(v*1000)/1000)
}
