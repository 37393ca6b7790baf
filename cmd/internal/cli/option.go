package cli

import "strings"

// envPrefix begins the names of all environment variables: the flag --num-streams
// is also UPLOAD_RESPONSE_NUM_STREAMS.
const envPrefix = "UPLOAD_RESPONSE_"

// Option is one flag of a command, and the environment variable of the same name.
type Option struct {
	Name    string // without dashes
	Short   string // one letter: the name of the flag with one dash; empty: none
	Arg     string // what the help calls the value; empty for a switch
	Help    string
	Default string                  // for the help
	Parse   func(text string) error // takes a value, or says which values are possible
	Split   func(string) []string   // splits the variable into several values; nil: it is one value
	Same    string                  // name of the option that this is another way to set
	Old     []string                // deprecated names
	Words   []string                // values that the shell suggests; nil: files if Arg is PATH, else none
}

// Group is the options under one heading of the help.
type Group struct {
	Heading string
	Options []Option
}

// names returns the names of the flag: the current one first.
func (o *Option) names() []string { return append([]string{o.Name}, o.Old...) }

// isSwitch reports whether the flag takes no value.
func (o *Option) isSwitch() bool { return o.Arg == "" }

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
