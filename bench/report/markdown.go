package report

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
)

// method describes how the figures are measured.
//
//go:embed method.md
var method string

// WriteMarkdown writes the report as a page, with links to pictures.
func (r *Report) WriteMarkdown(w io.Writer, pictures ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\n<!-- Written by `upload-response-bench`: do not edit. -->\n\n")
	fmt.Fprintf(&b, "%s, on %s:\n\n```console\n", r.Program, r.Time.Format("2006-01-02"))
	for _, command := range r.Commands {
		fmt.Fprintf(&b, "$ %s\n", command)
	}
	b.WriteString("```\n\n| | |\n|---|---|\n")
	for _, line := range [][2]string{
		{"processor", fmt.Sprintf("%s, %d cores", r.Machine.CPU, r.Machine.Cores)},
		{"memory", fmt.Sprintf("%.0f GiB", float64(r.Machine.Memory)/(1<<30))},
		{"system", r.Machine.Kernel + ", " + r.Machine.Arch},
		{"Go", r.Machine.Go},
		{"load average before", fmt.Sprintf("%.2f", r.Machine.Load)},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", line[0], line[1])
	}
	for _, s := range r.Settings {
		fmt.Fprintf(&b, "| %s | `%s` |\n", s.Name, s.Value)
	}
	b.WriteString("\n" + strings.TrimSpace(method) + "\n")
	r.writeBenches(&b, pictures)
	r.writeNotMeasured(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// headings are the headings of the benchmarks.
var headings = map[string]string{"ring": "The ring", "http": "Exchanges", "memory": "Memory"}

func (r *Report) writeBenches(b *strings.Builder, pictures []string) {
	last := ""
	for _, t := range r.Tables {
		if t.Bench != last {
			fmt.Fprintf(b, "\n## %s\n", headings[t.Bench])
			for _, p := range pictures {
				if strings.Contains(p, t.Bench) {
					fmt.Fprintf(b, "\n![%s](%s)\n", headings[t.Bench], p)
				}
			}
		}
		last = t.Bench
		t.writeMarkdown(b)
	}
}

func (t *Table) writeMarkdown(b *strings.Builder) {
	title, _ := strings.CutPrefix(t.Title(), t.Bench)
	fmt.Fprintf(b, "\n### %s\n\nMedians of %d rounds.\n\n", capital(strings.TrimLeft(title, ",: ")), t.rounds())
	for i, line := range t.grid() {
		fmt.Fprintf(b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|---|%s\n", strings.Repeat("---:|", len(line)-1))
		}
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (r *Report) writeNotMeasured(b *strings.Builder) {
	b.WriteString("\n## Not measured\n\n")
	if len(r.NotMeasured) == 0 {
		b.WriteString("All that was asked for was measured.\n")
	}
	for _, n := range r.NotMeasured {
		fmt.Fprintf(b, "- %s: %s\n", n.What, n.Why)
	}
}
