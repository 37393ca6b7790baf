package bench

import (
	"context"

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

// run measures the contenders in turns and adds the table to a report. Each round
// begins with another one, so that nobody always comes after the same neighbour; a
// round that does not count goes before, to warm up. Who fails is out, and the report
// says why.
func (o *Options) run(ctx context.Context, r *report.Report, t *report.Table, list []*contender) error {
	for round := range o.Rounds + 1 {
		for i := range list {
			c := list[(i+round)%len(list)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if c.measure == nil {
				continue
			}
			o.progress("%s: round %d of %d, %s", t.Title(), round, o.Rounds, c.row.Name)
			values, err := c.measure()
			if err != nil {
				r.Skip(t.Title()+": "+c.row.Name, err.Error())
				c.measure, c.row.Figures = nil, nil
			}
			for _, v := range values {
				if round > 0 {
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
