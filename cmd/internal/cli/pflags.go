package cli

import (
	"strings"

	"github.com/spf13/pflag"
)

// newFlags returns the options as flags of pflag, each under all its names, with --help and
// --help-all. Their values go to [Option.Parse]; what was given before is forgotten.
func (f *FlagSet) newFlags() *pflag.FlagSet {
	f.given, f.texts, f.renamed, f.helpAll = map[string]string{}, map[string][]string{}, nil, false
	f.taken = nil
	flags := pflag.NewFlagSet(f.Command, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetNormalizeFunc(withDashes)
	flags.Usage = func() {}
	for o := range f.All() {
		for i, name := range o.names() {
			flag := &pflag.Flag{
				Name: name, Usage: o.Help, DefValue: o.Default, Hidden: i > 0,
				Value: &flagValue{option: o, name: name, flags: f},
			}
			if i == 0 {
				flag.Shorthand = o.Short
			}
			if o.isSwitch() {
				flag.NoOptDefVal = "true"
			}
			flags.AddFlag(flag)
		}
	}
	f.addHelp(flags)
	return flags
}

// addHelp adds --help, and --help-all where that says more.
func (f *FlagSet) addHelp(flags *pflag.FlagSet) {
	flags.AddFlag(&pflag.Flag{Name: "help", Shorthand: "h", Usage: "show this help", NoOptDefVal: "true",
		Value: &helpValue{}})
	if f.Common != nil {
		flags.AddFlag(&pflag.Flag{Name: "help-all", Usage: "show the help with all flags", NoOptDefVal: "true",
			Value: &helpValue{asked: &f.helpAll}})
	}
}

// withDashes makes --num_streams the same as --num-streams.
func withDashes(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

// withTwoDashes makes flags that are written with one dash, as in -listen, those that pflag
// takes for long ones. A letter that is the short name of a flag begins a short one.
func withTwoDashes(args []string, flags *pflag.FlagSet) []string {
	list := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(list, args[i:]...)
		}
		name, _, whole := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		flag := flags.Lookup(name)
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' &&
			(flag != nil || flags.ShorthandLookup(arg[1:2]) == nil) {
			arg = "-" + arg
		}
		list = append(list, arg)
		if flag == nil && len(arg) == 2 && arg[0] == '-' {
			flag = flags.ShorthandLookup(arg[1:])
		}
		takesNext := strings.HasPrefix(arg, "-") && flag != nil && flag.NoOptDefVal == "" && !whole
		if takesNext && i+1 < len(args) {
			i++
			list = append(list, args[i]) // a value, also if it begins with a dash
		}
	}
	return list
}

// flagValue makes an option a pflag.Value under one of its names.
type flagValue struct {
	option *Option
	name   string
	flags  *FlagSet
}

// Set takes a value from the command line.
func (v *flagValue) Set(text string) error {
	if v.name != v.option.Name {
		v.flags.renamed = append(v.flags.renamed, Rename{"--" + v.name, "--" + v.option.Name})
	}
	return v.flags.take(v.option, "--"+v.name, text)
}

// String returns the default, for manual pages.
func (v *flagValue) String() string { return v.option.Default }

// Type returns what the help calls the value.
func (v *flagValue) Type() string {
	if v.option.isSwitch() {
		return "bool"
	}
	return v.option.Arg
}

// helpValue is a flag that asks for the help, whatever stands after it.
type helpValue struct{ asked *bool }

// Set ends the parsing.
func (v *helpValue) Set(string) error {
	if v.asked != nil {
		*v.asked = true
	}
	return ErrHelp
}

// String is the default.
func (v *helpValue) String() string { return "false" }

// Type says that the flag takes no value.
func (v *helpValue) Type() string { return "bool" }
