package bench

import (
	"context"
	"strings"

	"github.com/wavey-ai/upload-response/bench/report"
)

// Candidate is measured in turns with others.
type Candidate struct {
	Row     *report.Row
	Measure func() ([]Value, error)
	failed  bool
}

// Value is what a round yields for a metric.
type Value struct {
	Metric report.Metric
	Value  float64
}

// Run measures the candidates in turns and adds the table to a report. A round that does
// not count goes first, to warm up.
func (o *Options) Run(ctx context.Context, r *report.Report, t *report.Table, list []*Candidate) error {
	return o.Turns(ctx, r, t, list, 1)
}

// Turns is Run with that many rounds to warm up. Each round begins with another candidate,
// so that none always follows the same neighbour. One that fails is not measured again,
// and the report says why.
func (o *Options) Turns(ctx context.Context, r *report.Report, t *report.Table, list []*Candidate, warm int) error {
	for round := range warm + o.Rounds {
		for i := range list {
			c := list[(i+round)%len(list)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if c.failed {
				continue
			}
			o.ShowProgress("%s: round %d of %d, %s", t.Title(), round+1-warm, o.Rounds, c.Row.Name)
			if err := c.turn(round >= warm); err != nil {
				c.failed = true
				r.Skip(t.Title()+": "+c.Row.Name, FirstLine(err))
			}
		}
	}
	o.ShowProgress("")
	for _, c := range list {
		if !c.failed {
			t.Rows = append(t.Rows, c.Row)
		}
	}
	t.Compare()
	if len(t.Rows) > 0 {
		r.Tables = append(r.Tables, t)
	}
	return nil
}

// turn measures the candidate once, and notes the figures if they count.
func (c *Candidate) turn(counts bool) error {
	values, err := c.Measure()
	if err != nil || !counts {
		return err
	}
	for _, v := range values {
		c.Row.Add(v.Metric, v.Value)
	}
	return nil
}

// FirstLine returns the first line of an error: when many fail, one is enough.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
