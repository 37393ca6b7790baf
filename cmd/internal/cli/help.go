package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// envNote ends the help of every command with flags.
const envNote = `
Every flag is also an environment variable, which a flag overrides:
--%s is %s.
`

// writeHelp writes the help of a command: examples, then the commands below it, then the
// flags in groups, in two columns; the rare ones only if all is true.
func (f *FlagSet) writeHelp(w io.Writer, c *cobra.Command, all bool) {
	fmt.Fprintf(w, "%s: %s.\n", f.Command, f.Summary)
	if c.HasExample() {
		fmt.Fprintf(w, "\n%s\n", indent(c.Example))
	}
	fmt.Fprintf(w, "\nUsage: %s\n", c.UseLine())
	writeCommands(w, c)
	if len(f.Groups) > 0 {
		f.writeFlags(w, all)
	}
	if f.Notes != "" && (all || f.Common == nil) {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(f.Notes))
	}
	if f.Common != nil && !all {
		fmt.Fprintf(w, "\nThere are more flags: %s --help-all\n", f.Command)
	}
}

func writeCommands(w io.Writer, c *cobra.Command) {
	names := visibleNames(c)
	if len(names) == 0 {
		return
	}
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	fmt.Fprintln(w)
	for _, name := range names {
		fmt.Fprintf(w, "  %-*s  %s\n", width, name, child(c, name).Short)
	}
	fmt.Fprintf(w, "\n'%s %s --help' lists the flags.\n", c.CommandPath(), strings.Fields(c.Use)[1])
}

func (f *FlagSet) writeFlags(w io.Writer, all bool) {
	width := 0
	for o := range f.All() {
		if f.shows(o, all) {
			width = max(width, len(o.left()))
		}
	}
	for _, g := range f.Groups {
		heading := "\n" + g.Heading + "\n"
		for i := range g.Options {
			if o := &g.Options[i]; f.shows(o, all) {
				fmt.Fprintf(w, "%s  %-*s  %s\n", heading, width, o.left(), o.right())
				heading = ""
			}
		}
	}
	example := f.Groups[0].Options[0].Name
	fmt.Fprintf(w, envNote, example, EnvName(example))
}

// shows reports whether the help has an option.
func (f *FlagSet) shows(o *Option, all bool) bool {
	return all || f.Common == nil || slices.Contains(f.Common, o.Name)
}

func (o *Option) left() string {
	left := strings.TrimSpace("--" + o.Name + " " + o.Arg)
	if o.Short != "" {
		left = "-" + o.Short + ", " + left
	}
	return left
}

func (o *Option) right() string {
	if o.Default == "" {
		return o.Help
	}
	return o.Help + " (" + o.Default + ")"
}

// indent begins each line that is not empty with two spaces.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// OneOf joins names as "a, b or c".
func OneOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
