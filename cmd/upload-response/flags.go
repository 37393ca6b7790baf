package main

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

// errHelp is returned by flagSet.parse when the help was asked for.
var errHelp = flag.ErrHelp

// option is one flag of a command, and the environment variable of the same
// name.
type option struct {
	name  string // without dashes
	arg   string // what the help calls its value; empty for a switch
	help  string
	value string                  // what it is when not given, for the help
	parse func(text string) error // takes a value, or says which ones it takes
	split func(string) []string   // makes several values of the variable; nil: there is one
	same  string                  // name of the option that this is another way to give
}

// optionGroup is options under one heading of the help.
type optionGroup struct {
	heading string
	options []option
}

// flagSet is all the flags of a command.
type flagSet struct {
	command string // as it is typed
	summary string
	notes   string // at the end of the help
	groups  []optionGroup

	given map[string]string // by option: the flag or variable that it came from
}

// parse takes the values of flags in args and of environment variables; a flag
// wins. It returns errHelp, or a [*usageError] that names the flag at fault.
func (f *flagSet) parse(args []string, getenv func(string) string) error {
	f.given = map[string]string{}
	err := f.parseArgs(args)
	if err == nil {
		err = f.parseEnv(getenv)
	}
	if err == nil || errors.Is(err, errHelp) {
		return err
	}
	return f.usage(err)
}

// usage makes a usageError of err.
func (f *flagSet) usage(err error) error { return &usageError{f.command, err} }

func (f *flagSet) parseArgs(args []string) error {
	flags := flag.NewFlagSet(f.command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	var failure error // the package's own keeps no more than the text of ours
	for o := range f.all() {
		v := &flagValue{option: o, flags: f, failure: &failure}
		flags.Var(v, o.name, "")
		if plain := strings.ReplaceAll(o.name, "-", "_"); plain != o.name {
			flags.Var(v, plain, "")
		}
	}
	err := flags.Parse(args)
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return inOurWords(err)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// inOurWords rewords an error of the flag package: flags have two dashes here.
func inOurWords(err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return fmt.Errorf("unknown flag --%s", name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("--%s needs a value", name)
	}
	return err
}

func (f *flagSet) parseEnv(getenv func(string) string) error {
	for o := range f.all() {
		name := envName(o.name)
		text := getenv(name)
		if text == "" || strings.HasPrefix(f.given[o.target()], "--") {
			continue
		}
		values := []string{text}
		if o.split != nil {
			values = o.split(text)
		}
		for _, value := range values {
			if err := f.take(o, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// take gives an option a value that came from a flag or variable.
func (f *flagSet) take(o *option, from, value string) error {
	if other := f.given[o.target()]; other != "" && other != from {
		return fmt.Errorf("%s and %s say the same: give one of them", other, from)
	}
	f.given[o.target()] = from
	if err := o.parse(value); err != nil {
		return fmt.Errorf("%s %q: %w", from, value, err)
	}
	return nil
}

// all yields every option, in the order of the help.
func (f *flagSet) all() func(yield func(*option) bool) {
	return func(yield func(*option) bool) {
		for i := range f.groups {
			for j := range f.groups[i].options {
				if !yield(&f.groups[i].options[j]) {
					return
				}
			}
		}
	}
}

// target returns the name of the option that o sets.
func (o *option) target() string {
	if o.same != "" {
		return o.same
	}
	return o.name
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagValue makes an option a flag.Value.
type flagValue struct {
	option  *option
	flags   *flagSet
	failure *error
}

// Set takes a value from the command line.
func (v *flagValue) Set(text string) error {
	*v.failure = v.flags.take(v.option, "--"+v.option.name, text)
	return *v.failure
}

// String is for the flag package only; help.go prints the values.
func (v *flagValue) String() string { return "" }

// IsBoolFlag reports whether the flag is a switch.
func (v *flagValue) IsBoolFlag() bool { return v.option.arg == "" }
