// Package cli is the command line of the programs: flags that are environment variables
// as well, the help that lists them, and the texts that they take.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// envPrefix begins the names of all environment variables: the flag --num-streams
// is also UPLOAD_RESPONSE_NUM_STREAMS.
const envPrefix = "UPLOAD_RESPONSE_"

// ErrHelp is returned by [FlagSet.Parse] when the command line asks for the help.
var ErrHelp = flag.ErrHelp

// Option is one flag of a command, and the environment variable of the same name.
type Option struct {
	Name    string // without dashes
	Arg     string // what the help calls the value; empty for a switch
	Help    string
	Default string                  // for the help
	Parse   func(text string) error // takes a value, or says which values are possible
	Split   func(string) []string   // splits the variable into several values; nil: it is one value
	Same    string                  // name of the option that this is another way to set
	Old     []string                // deprecated names
}

// Group is the options under one heading of the help.
type Group struct {
	Heading string
	Options []Option
}

// FlagSet is all the flags of a command.
type FlagSet struct {
	Command string // as a user types it
	Summary string
	Notes   string // at the end of the help
	Groups  []Group

	given   map[string]string // by option: the flag or variable that set it
	renamed []Rename
}

// Rename is a deprecated flag or variable that was used, and the name to use instead.
type Rename struct{ Old, New string }

// Parse takes the values of flags in args and of environment variables; a flag
// wins. It returns ErrHelp, or a [*UsageError] that names the flag at fault.
func (f *FlagSet) Parse(args []string, getenv func(string) string) error {
	f.given, f.renamed = map[string]string{}, nil
	err := f.parseArgs(args)
	if err == nil {
		err = f.parseEnv(getenv)
	}
	if err == nil || errors.Is(err, ErrHelp) {
		return err
	}
	return f.Usage(err)
}

// ParseOrHelp is Parse, but for a command line that asks for the help: it writes that,
// and reports that there is nothing more to do.
func (f *FlagSet) ParseOrHelp(args []string, getenv func(string) string, stdout io.Writer) (done bool, err error) {
	if err = f.Parse(args, getenv); errors.Is(err, ErrHelp) {
		f.WriteHelp(stdout)
		return true, nil
	}
	return false, err
}

// Usage makes err a [*UsageError] of the command.
func (f *FlagSet) Usage(err error) error { return &UsageError{f.Command, err} }

// Given reports whether a flag or variable set the option of a name.
func (f *FlagSet) Given(name string) bool { return f.given[name] != "" }

// Renamed returns the deprecated names that were used.
func (f *FlagSet) Renamed() []Rename { return f.renamed }

func (f *FlagSet) parseArgs(args []string) error {
	flags := flag.NewFlagSet(f.Command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	var failure error // the flag package keeps only the text of an error
	for o := range f.All() {
		for _, name := range o.names() {
			v := &flagValue{option: o, name: name, flags: f, failure: &failure}
			flags.Var(v, name, "")
			if underscored := strings.ReplaceAll(name, "-", "_"); underscored != name {
				flags.Var(v, underscored, "")
			}
		}
	}
	err := flags.Parse(args)
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return reword(err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// reword rewords an error of the flag package: flags have two dashes here.
func reword(err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return fmt.Errorf("unknown flag --%s", name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("--%s needs a value", name)
	}
	return err
}

func (f *FlagSet) parseEnv(getenv func(string) string) error {
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
					return err
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

// names returns the names of the flag: the current one first.
func (o *Option) names() []string { return append([]string{o.Name}, o.Old...) }

// Variables returns the names of the environment variable: the current one first.
func (o *Option) Variables() []string {
	var list []string
	for _, name := range o.names() {
		list = append(list, EnvName(name))
	}
	return list
}

// target returns the name of the option that o sets.
func (o *Option) target() string {
	if o.Same != "" {
		return o.Same
	}
	return o.Name
}

// EnvName returns the environment variable of a flag.
func EnvName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagValue makes an option a flag.Value under one of its names.
type flagValue struct {
	option  *Option
	name    string
	flags   *FlagSet
	failure *error
}

// Set takes a value from the command line.
func (v *flagValue) Set(text string) error {
	if v.name != v.option.Name {
		v.flags.renamed = append(v.flags.renamed, Rename{"--" + v.name, "--" + v.option.Name})
	}
	*v.failure = v.flags.take(v.option, "--"+v.name, text)
	return *v.failure
}

// String is for the flag package only; help.go prints the values.
func (v *flagValue) String() string { return "" }

// IsBoolFlag reports whether the flag is a switch.
func (v *flagValue) IsBoolFlag() bool { return v.option.Arg == "" }
