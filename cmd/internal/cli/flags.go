// Package cli is the command line of the programs: a tree of commands, flags that are
// environment variables as well, the help that lists them, and the texts that they take.
package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// ErrHelp is returned by [FlagSet.Parse] when the command line asks for the help.
var ErrHelp = pflag.ErrHelp

// FlagSet is a command: what its help says, and all its flags.
type FlagSet struct {
	Command string // as a user types it
	Args    string // what the usage shows between the command and its flags; empty: it takes no arguments
	Summary string // what it does: "runs the server"
	Example string // command lines, each under a line of comment
	Notes   string // at the end of the help
	Groups  []Group
	Like    string   // command whose flags all groups but the first are, so that the page need not repeat them
	Common  []string // names of the flags that --help shows, the others are behind --help-all; nil: it shows all

	given   map[string]string   // by option: the flag or variable that set it, or what Fill was told
	texts   map[string][]string // by option: the texts that a flag or variable gave
	taken   []take              // in their order
	renamed []Rename
	helpAll bool // the command line asks for the whole help
}

// take is a text that a flag or variable gave an option.
type take struct{ option, from, text string }

// Rename is a deprecated flag or variable that was used, and the name to use instead.
type Rename struct{ Old, New string }

// Parse takes the values of flags in args and of environment variables; a flag
// wins. It returns ErrHelp, or a [*UsageError] that names the flag at fault.
func (f *FlagSet) Parse(args []string, getenv func(string) string) error {
	flags := f.newFlags()
	err := flags.Parse(withTwoDashes(args, flags))
	if err != nil {
		return f.flagError(flags, err)
	}
	if flags.NArg() > 0 && f.Args == "" {
		return f.Usage(fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	return f.takeVariables(getenv)
}

// Usage makes err a [*UsageError] of the command.
func (f *FlagSet) Usage(err error) error { return &UsageError{f.Command, err} }

// Given reports whether a flag or variable set the option of a name.
func (f *FlagSet) Given(name string) bool { return f.given[name] != "" }

// Source returns the texts that set the option of a name, and the flag or variable that they
// come from; empty if none did.
func (f *FlagSet) Source(name string) (texts []string, from string) {
	if texts = f.texts[name]; len(texts) > 0 {
		from = f.given[name]
	}
	return texts, from
}

// Fill gives an option the texts that a file has for it, unless a flag or variable set it. From
// then on it counts as given. The error is that of the text at the index.
func (f *FlagSet) Fill(name, from string, texts ...string) (index int, err error) {
	if f.Given(name) {
		return 0, nil
	}
	o := f.Option(name)
	f.given[o.target()] = from
	for i, text := range texts {
		if err := o.Parse(text); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// Repeat gives the options what flags and variables gave those of another set.
func (f *FlagSet) Repeat(other *FlagSet) error {
	f.newFlags()
	for _, t := range other.taken {
		if err := f.take(f.Option(t.option), t.from, t.text); err != nil {
			return f.Usage(err)
		}
	}
	return nil
}

// Option returns the option of a name; nil if there is none.
func (f *FlagSet) Option(name string) *Option {
	for o := range f.All() {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// Renamed returns the deprecated names that were used.
func (f *FlagSet) Renamed() []Rename { return f.renamed }

// takeVariables takes the values of the environment variables of options that no flag has set.
func (f *FlagSet) takeVariables(getenv func(string) string) error {
	for o := range f.All() {
		for i, name := range o.Variables() {
			text := getenv(name)
			if text == "" || strings.HasPrefix(f.given[o.target()], "--") {
				continue
			}
			if i > 0 {
				f.renamed = append(f.renamed, Rename{name, EnvName(o.Name)})
			}
			values := []string{text}
			if o.Split != nil {
				values = o.Split(text)
			}
			for _, value := range values {
				if err := f.take(o, name, value); err != nil {
					return f.Usage(err)
				}
			}
		}
	}
	return nil
}

// take gives an option a value that came from a flag or variable.
func (f *FlagSet) take(o *Option, from, value string) error {
	if other := f.given[o.target()]; other != "" && other != from {
		return fmt.Errorf("%s and %s set the same thing: give only one of them", other, from)
	}
	f.given[o.target()] = from
	f.texts[o.target()] = append(f.texts[o.target()], value)
	f.taken = append(f.taken, take{o.Name, from, value})
	if err := o.Parse(value); err != nil {
		return fmt.Errorf("%s %q: %w", from, value, err)
	}
	return nil
}

// All yields every option, in the order of the help.
func (f *FlagSet) All() func(yield func(*Option) bool) {
	return func(yield func(*Option) bool) {
		for i := range f.Groups {
			for j := range f.Groups[i].Options {
				if !yield(&f.Groups[i].Options[j]) {
					return
				}
			}
		}
	}
}

// flagError makes an error of pflag one of ours: flags have two dashes, and a name that is
// unknown comes with the one that was meant.
func (f *FlagSet) flagError(flags *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.Is(err, ErrHelp):
		return ErrHelp
	case errors.As(err, &unknown):
		err = unknownFlag(flags, unknown)
	case errors.As(err, &missing):
		err = fmt.Errorf("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		err = invalid.Unwrap()
	}
	return f.Usage(err)
}

// unknownFlag names the flag that was meant, if there is one like it.
func unknownFlag(flags *pflag.FlagSet, unknown *pflag.NotExistError) error {
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("unknown flag -%s", name)
	}
	var names []string
	flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	if meant := Nearest(name, names); meant != "" {
		return fmt.Errorf("unknown flag --%s: did you mean --%s?", name, meant)
	}
	return fmt.Errorf("unknown flag --%s", name)
}
