package main

import (
	"fmt"
	"io"
	"strings"
)

// envNote ends the help of every command with flags.
const envNote = `
Every flag is also an environment variable, which a flag overrides:
--%s is %s.
`

// writeHelp writes the help of a command: its flags in groups, in two columns.
func (f *flagSet) writeHelp(w io.Writer) {
	fmt.Fprintf(w, "%s: %s.\n\nUsage: %s [flags]\n", f.command, f.summary, f.command)
	width := 0
	for o := range f.all() {
		width = max(width, len(o.left()))
	}
	for _, g := range f.groups {
		fmt.Fprintf(w, "\n%s\n", g.heading)
		for i := range g.options {
			o := &g.options[i]
			fmt.Fprintf(w, "  %-*s  %s\n", width, o.left(), o.right())
		}
	}
	example := f.groups[0].options[0].name
	fmt.Fprintf(w, envNote, example, envName(example))
	if f.notes != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(f.notes))
	}
}

func (o *option) left() string { return strings.TrimSpace("--" + o.name + " " + o.arg) }

func (o *option) right() string {
	if o.value == "" {
		return o.help
	}
	return o.help + " (" + o.value + ")"
}
