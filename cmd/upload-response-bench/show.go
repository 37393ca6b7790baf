package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// output is the files that a report goes to; - is the standard output.
type output struct{ json, plot, markdown, compare string }

func (o *output) options() []cli.Option {
	return []cli.Option{
		{Name: "json", Arg: "PATH", Help: "also write the figures to this file; -: print them instead of the tables",
			Parse: cli.Text(&o.json)},
		{
			Name: "plot", Arg: "PATH.svg",
			Help:  "draw speed by the size of a slot, and rate and latency by the connections",
			Parse: cli.Text(&o.plot),
		},
		{Name: "markdown", Arg: "PATH.md", Help: "write a page, and its pictures beside it",
			Parse: cli.Text(&o.markdown)},
		{Name: "compare", Arg: "PATH", Help: "show what has changed since a file that --json has written",
			Parse: cli.Text(&o.compare)},
	}
}

// show prints the report, and writes the files.
func (p *program) show(o *output, r *report.Report) error {
	if o.json == "-" {
		return r.WriteJSON(p.stdout)
	}
	var old *report.Report
	var failed error
	if o.compare != "" {
		old, failed = report.Load(o.compare) // before --json, which may name the same file
	}
	failed = errors.Join(failed, o.writeFiles(r), r.WriteText(p.stdout))
	if old != nil {
		failed = errors.Join(failed, r.WriteChanges(p.stdout, old))
	}
	return failed
}

func (o *output) writeFiles(r *report.Report) (err error) {
	if o.json != "" {
		err = writeFile(o.json, r.WriteJSON)
	}
	if o.plot != "" {
		err = errors.Join(err, writeFile(o.plot, func(w io.Writer) error { return report.WriteSVG(w, r.Plots()) }))
	}
	if o.markdown != "" {
		err = errors.Join(err, writePage(o.markdown, r))
	}
	return err
}

// writePage writes a page and, beside it, a picture for each benchmark that has curves.
func writePage(path string, r *report.Report) error {
	var pictures []string
	for _, b := range benchmarks() {
		rows := r.Only(b.name).Plots()
		if len(rows) == 0 {
			continue
		}
		picture := strings.TrimSuffix(path, ".md") + "-" + b.name + ".svg"
		if err := writeFile(picture, func(w io.Writer) error { return report.WriteSVG(w, rows) }); err != nil {
			return err
		}
		pictures = append(pictures, filepath.Base(picture))
	}
	return writeFile(path, func(w io.Writer) error { return r.WriteMarkdown(w, pictures...) })
}

// writeFile writes a file.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
