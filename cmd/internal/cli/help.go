package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// envNote ends the help of every command with flags.
const envNote = `
Every flag is also an environment variable, which a flag overrides:
--%s is %s.
`

// WriteHelp writes the help of a command: the flags in groups, in two columns.
func (f *FlagSet) WriteHelp(w io.Writer) {
	fmt.Fprintf(w, "%s: %s.\n\nUsage: %s", f.Command, f.Summary, f.Command)
	if len(f.Groups) == 0 {
		fmt.Fprintln(w)
		return
	}
	fmt.Fprintln(w, " [flags]")
	width := 0
	for o := range f.All() {
		width = max(width, len(o.left()))
	}
	for _, g := range f.Groups {
		fmt.Fprintf(w, "\n%s\n", g.Heading)
		for i := range g.Options {
			o := &g.Options[i]
			fmt.Fprintf(w, "  %-*s  %s\n", width, o.left(), o.right())
		}
	}
	example := f.Groups[0].Options[0].Name
	fmt.Fprintf(w, envNote, example, EnvName(example))
	if f.Notes != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(f.Notes))
	}
}

func (o *Option) left() string { return strings.TrimSpace("--" + o.Name + " " + o.Arg) }

func (o *Option) right() string {
	if o.Default == "" {
		return o.Help
	}
	return o.Help + " (" + o.Default + ")"
}

// IsHelp reports whether an argument asks for the help.
func IsHelp(arg string) bool { return slices.Contains([]string{"--help", "-help", "-h"}, arg) }

// OneOf joins names as "a, b or c".
func OneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
