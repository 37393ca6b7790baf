package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteChanges writes the changes since an older report, for every figure that both have.
// A change is marked if the ranges of the two figures do not overlap.
func (r *Report) WriteChanges(w io.Writer, old *Report) error {
	fmt.Fprintf(w, "\nChanges since %s (* where the rounds do not overlap)\n", old.Time.Format("2006-01-02 15:04"))
	if !old.Machine.same(r.Machine) {
		fmt.Fprintf(w, "that was another machine: %s\n", old.Machine)
	}
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "  \t\t\tbefore\tnow\tchange\tratios, before and now")
	for _, t := range r.Tables {
		if before := old.table(t); before != nil {
			t.writeChanges(columns, before)
		}
	}
	return columns.Flush()
}

// table returns the table with a title.
func (r *Report) table(like *Table) *Table {
	for _, t := range r.Tables {
		if t.Title() == like.Title() {
			return t
		}
	}
	return nil
}

func (t *Table) writeChanges(w io.Writer, before *Table) {
	for _, row := range t.Rows {
		old := before.Row(row.Name)
		if old == nil {
			continue
		}
		for _, f := range row.Figures {
			if was := old.Figure(f.Name); was != nil && was.Median != 0 && f.Better != Neither {
				fmt.Fprintf(w, "  %s\t%s\t%s, %s\t%s\t%s\t%s\t%s\n", t.Title(), row.Name, f.Name, f.Unit,
					number(was.Median), number(f.Median), change(was, f), ratioChanges(was, f))
			}
		}
	}
}

// change shows the change of a figure.
func change(was, is *Figure) string {
	text := fmt.Sprintf("%+.1f%%", (is.Median/was.Median-1)*100)
	if is.Min > was.Max || is.Max < was.Min {
		text += " *"
	}
	return text
}

// ratioChanges shows the ratio to each limit, before and after.
func ratioChanges(was, is *Figure) (text string) {
	for _, now := range is.Ratios {
		for _, then := range was.Ratios {
			if then.To == now.To {
				text += fmt.Sprintf("%s %.2f %.2f  ", now.To, then.Median, now.Median)
			}
		}
	}
	return text
}
