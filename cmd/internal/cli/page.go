package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// WritePage writes all commands below root that the help lists, with their examples and all
// flags, in Markdown.
func WritePage(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	writeSection(&b, root)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeSection(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s%s.\n\n```text\n%s\n```\n", c.CommandPath(), strings.ToUpper(c.Short[:1]), c.Short[1:],
		c.UseLine())
	if c.HasExample() {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", c.Example)
	}
	if f := setOf(c); f != nil {
		f.writeTables(b)
	}
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", escapeMarkdown(c.Long))
	}
	for _, name := range visibleNames(c) {
		writeSection(b, child(c, name))
	}
}

// setOf returns the flags of a command, or nil if it has none of its own.
func setOf(c *cobra.Command) (f *FlagSet) {
	c.Flags().VisitAll(func(flag *pflag.Flag) {
		if v, ok := flag.Value.(*flagValue); ok {
			f = v.flags
		}
	})
	return f
}

func (f *FlagSet) writeTables(b *strings.Builder) {
	groups := f.Groups
	if f.Like != "" {
		groups = groups[:1]
	}
	for _, g := range groups {
		fmt.Fprintf(b, "\n| %s | default | |\n|---|---|---|\n", g.Heading)
		for i := range g.Options {
			o := &g.Options[i]
			value := ""
			if o.Default != "" {
				value = "`" + o.Default + "`"
			}
			help := escapeMarkdown(o.Help)
			if len(o.Old) > 0 {
				help += fmt.Sprintf(" (deprecated name: `--%s`)", strings.Join(o.Old, "`, `--"))
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", o.left(), value, help)
		}
	}
	if f.Like != "" {
		fmt.Fprintf(b, "\nThe other flags are those of `%s`.\n", f.Like)
	}
}

// escapeMarkdown keeps text from meaning more than itself.
func escapeMarkdown(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`).Replace(text)
}
