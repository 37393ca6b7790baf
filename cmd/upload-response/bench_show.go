package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/wavey-ai/upload-response/bench/report"
)

// show prints the report, and writes the files that the settings name.
func (p *program) show(s *benchSettings, r *report.Report) error {
	if s.json == "-" {
		return r.WriteJSON(p.stdout)
	}
	var old *report.Report
	var failed error
	if s.compare != "" {
		old, failed = report.Load(s.compare) // before json, which may be the same file
	}
	failed = errors.Join(failed, s.writeFiles(r), r.WriteText(p.stdout))
	if old != nil {
		failed = errors.Join(failed, r.WriteChanges(p.stdout, old))
	}
	return failed
}

func (s *benchSettings) writeFiles(r *report.Report) (err error) {
	if s.json != "" {
		err = writeFile(s.json, r.WriteJSON)
	}
	if s.plot != "" {
		err = errors.Join(err, writeFile(s.plot, func(w io.Writer) error { return report.WriteSVG(w, r.Plots()) }))
	}
	if s.markdown != "" {
		err = errors.Join(err, writePage(s.markdown, r))
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
