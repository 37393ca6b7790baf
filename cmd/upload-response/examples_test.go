package main

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// eachCommand visits the commands that the help lists, and those below them.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			eachCommand(sub, visit)
		}
	}
}

// newTree returns the commands of the program, and no variables are set.
func newTree() *cobra.Command {
	p := &program{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}
	return p.commands()
}

// examplesOf returns the command lines in the examples of a command, as words that a shell
// has taken apart.
func examplesOf(t *testing.T, c *cobra.Command) (list [][]string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.ReplaceAll(c.Example, "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, self+" ") {
			continue
		}
		line, _, _ = strings.Cut(line, " |")
		line, _, _ = strings.Cut(line, " >")
		out, err := exec.Command("/bin/sh", "-c", `for word in "$@"; do :; done; printf '%s\n' `+line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"))
	}
	return list
}

func TestEveryCommandHasExamplesThatItsFlagsTake(t *testing.T) {
	t.Parallel()
	eachCommand(newTree(), func(c *cobra.Command) {
		examples := examplesOf(t, c)
		own := 0
		for _, words := range examples {
			tree := newTree()
			called := ""
			eachCommand(tree, func(c *cobra.Command) {
				c.RunE = func(c *cobra.Command, _ []string) error { called = c.CommandPath(); return nil }
			})
			if err := cli.Execute(tree, words[1:], io.Discard, io.Discard); err != nil || called == "" {
				t.Errorf("an example of %q: %q: %v", c.CommandPath(), words, err)
			}
			if strings.HasPrefix(called, c.CommandPath()) {
				own++
			}
			if len(words) > 1 && words[1] == "serve" {
				if _, err := tryParse(nil, words[2:]...); err != nil {
					t.Errorf("an example of %q: %q: %v", c.CommandPath(), words, err)
				}
			}
		}
		if own == 0 {
			t.Errorf("%q has no example of itself, only %q", c.CommandPath(), examples)
		}
	})
}

func TestHelpShowsCommonFlagsAndHelpAllTheOthers(t *testing.T) {
	short, _, _ := call(nil, "serve", "--help")
	long, _, _ := call(nil, "serve", "--help-all")
	var s settings
	f := s.flags(func(string) string { return "" })
	for o := range f.All() {
		flag := "\n  --" + o.Name + " "
		if o.Short != "" {
			flag = "\n  -" + o.Short + ", --" + o.Name + " "
		}
		if strings.Contains(short, flag) != slices.Contains(f.Common, o.Name) || !strings.Contains(long, flag) {
			t.Errorf("--%s: in --help: %v, in --help-all: %v", o.Name, strings.Contains(short, flag),
				strings.Contains(long, flag))
		}
	}
	for _, name := range f.Common {
		if !strings.Contains(long, "  --"+name+" ") && !strings.Contains(long, ", --"+name+" ") {
			t.Errorf("there is no flag --%s", name)
		}
	}
	if example := strings.Index(short, "upload-response serve --worker"); example < 0 ||
		example > strings.Index(short, "--listen ADDRESS") {
		t.Errorf("the examples are not above the flags:\n%s", short)
	}
	if !strings.Contains(short, "upload-response serve --help-all") || strings.Contains(long, "There are more flags") {
		t.Error("--help does not name --help-all, or --help-all names itself")
	}
}
