package bench

import (
	"context"
	"strings"

	"github.com/wavey-ai/upload-response/bench/report"
)

// contender is measured in turns with others.
type contender struct {
	row     *report.Row
	measure func() ([]value, error)
	out     bool // it has failed
}

// value is what a round yields of a metric.
type value struct {
	metric report.Metric
	value  float64
}

// run measures the contenders in turns and adds the table to a report. A round that
// does not count goes before, to warm up.
func (o *Options) run(ctx context.Context, r *report.Report, t *report.Table, list []*contender) error {
	return o.turns(ctx, r, t, list, 1)
}

// turns is run with so many rounds to warm up. Each round begins with another
// contender, so that nobody always comes after the same neighbour. Who fails is out,
// and the report says why.
func (o *Options) turns(ctx context.Context, r *report.Report, t *report.Table, list []*contender, warm int) error {
	for round := range warm + o.Rounds {
		for i := range list {
			c := list[(i+round)%len(list)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if c.out {
				continue
			}
			o.progress("%s: round %d of %d, %s", t.Title(), round+1-warm, o.Rounds, c.row.Name)
			if err := c.turn(round >= warm); err != nil {
				c.out = true
				r.Skip(t.Title()+": "+c.row.Name, firstLine(err))
			}
		}
	}
	o.progress("")
	for _, c := range list {
		if !c.out {
			t.Rows = append(t.Rows, c.row)
		}
	}
	t.Compare()
	if len(t.Rows) > 0 {
		r.Tables = append(r.Tables, t)
	}
	return nil
}

// turn measures the contender once, and notes the figures if they count.
func (c *contender) turn(counts bool) error {
	values, err := c.measure()
	if err != nil || !counts {
		return err
	}
	for _, v := range values {
		c.row.Add(v.metric, v.value)
	}
	return nil
}

// firstLine returns the first line of an error: when many fail, one will do.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
