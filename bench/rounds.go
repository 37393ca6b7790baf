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
			if c.measure == nil {
				continue
			}
			o.progress("%s: round %d of %d, %s", t.Title(), round+1-warm, o.Rounds, c.row.Name)
			values, err := c.measure()
			if err != nil {
				r.Skip(t.Title()+": "+c.row.Name, firstLine(err))
				c.measure, c.row.Figures = nil, nil
			}
			for _, v := range values {
				if round >= warm {
					c.row.Add(v.metric, v.value)
				}
			}
		}
	}
	o.progress("")
	for _, c := range list {
		if c.measure != nil {
			t.Rows = append(t.Rows, c.row)
		}
	}
	t.Compare()
	if len(t.Rows) > 0 {
		r.Tables = append(r.Tables, t)
	}
	return nil
}

// firstLine returns the first line of an error: when many fail, one will do.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
