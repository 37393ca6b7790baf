package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\n%s\n", r.Program, r.Machine)
	for _, s := range r.Settings {
		_, err = fmt.Fprintf(w, "%s: %s\n", s.Name, s.Value)
	}
	for _, t := range r.Tables {
		err = t.writeText(w)
	}
	if len(r.NotMeasured) > 0 {
		_, err = fmt.Fprintln(w, "\nNot measured:")
	}
	for _, n := range r.NotMeasured {
		_, err = fmt.Fprintf(w, "  %s: %s\n", n.What, n.Why)
	}
	return err
}

func (t *Table) writeText(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "\n%s (median of %d rounds, least-most)\n", t.Title(), t.rounds()); err != nil {
		return err
	}
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range t.grid() {
		fmt.Fprintln(columns, "  "+strings.Join(line, "\t"))
	}
	return columns.Flush()
}
