package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The help lists commands in the order in which they were added.
func init() { cobra.EnableCommandSorting = false }

// NewCommand makes a command of cobra. It takes the flags and variables of f, then calls run
// with the arguments; errors of flags and arguments are a [*UsageError].
//
// Preconditions: f.Command is the path from the root, as in "upload-response worker echo".
func NewCommand(f *FlagSet, getenv func(string) string, run func(args []string) error) *cobra.Command {
	c := newCommand(f)
	c.RunE = func(_ *cobra.Command, args []string) error {
		if err := f.takeVariables(getenv); err != nil {
			return err
		}
		return run(args)
	}
	return c
}

func newCommand(f *FlagSet) *cobra.Command {
	name := f.Command[strings.LastIndexByte(f.Command, ' ')+1:]
	c := &cobra.Command{
		Use: strings.TrimSpace(name + " " + f.Args), Short: f.Summary, Long: strings.TrimSpace(f.Notes),
		Example: strings.Trim(f.Example, "\n"), Args: cobra.ArbitraryArgs,
		SilenceErrors: true, SilenceUsage: true, DisableAutoGenTag: true, DisableFlagsInUseLine: true,
	}
	flags := f.newFlags()
	if len(f.Groups) > 0 {
		c.Use += " [flags]"
	}
	c.Flags().SortFlags = false
	c.SetGlobalNormalizationFunc(withDashes)
	c.Flags().AddFlagSet(flags)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return f.flagError(flags, err) })
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { f.writeHelp(c.OutOrStdout(), c, f.helpAll) })
	c.ValidArgsFunction = cobra.NoFileCompletions
	if f.Args == "" {
		c.Args = noArguments(f)
	}
	f.completeValues(c)
	return c
}

func noArguments(f *FlagSet) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return f.Usage(fmt.Errorf("unexpected argument %q", args[0]))
		}
		return nil
	}
}

// completeValues tells shells which values a flag takes.
func (f *FlagSet) completeValues(c *cobra.Command) {
	for o := range f.All() {
		complete := cobra.NoFileCompletions
		switch {
		case o.Words != nil:
			complete = cobra.FixedCompletions(o.Words, cobra.ShellCompDirectiveNoFileComp)
		case strings.HasPrefix(o.Arg, "PATH") || o.Arg == "FILE":
			continue
		}
		_ = c.RegisterFlagCompletionFunc(o.Name, complete) // the flag is there: it was just added
	}
}

// NewGroup makes a command of others: what calls one of them, as in "worker".
//
// Preconditions: f has no groups of flags.
func NewGroup(f *FlagSet, what string, commands ...*cobra.Command) *cobra.Command {
	f.Args = strings.ToUpper(what)
	c := newCommand(f)
	c.AddCommand(commands...)
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return f.Usage(fmt.Errorf("no %s: want %s", what, OneOf(visibleNames(c))))
		}
		if meant := Nearest(args[0], visibleNames(c)); meant != "" {
			return f.Usage(fmt.Errorf("unknown %s %q: did you mean %s?", what, args[0], meant))
		}
		return f.Usage(fmt.Errorf("unknown %s %q: want %s", what, args[0], OneOf(visibleNames(c))))
	}
	c.RunE = func(*cobra.Command, []string) error { return nil } // cobra asks for it; Args always fails
	return c
}

// visibleNames returns the names of the commands below c, in the order of the help.
func visibleNames(c *cobra.Command) (list []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			list = append(list, sub.Name())
		}
	}
	return list
}

// NewHidden makes a command that takes its arguments as they are, and that no help lists.
func NewHidden(name, summary string, run func(args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: summary, Hidden: true, DisableFlagParsing: true, SilenceErrors: true, SilenceUsage: true,
		DisableAutoGenTag: true,
		RunE:              func(_ *cobra.Command, args []string) error { return run(args) },
	}
}

// Execute runs the command that args name.
func Execute(root *cobra.Command, args []string, stdout, stderr io.Writer) error {
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetHelpCommand(newHelpCommand(root))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetArgs(normalize(root, args))
	return root.Execute()
}

// normalize gives flags two dashes: those of the command that args name.
func normalize(root *cobra.Command, args []string) []string {
	c := root
	for i, arg := range args {
		if strings.HasPrefix(arg, "-") {
			break
		}
		if c = child(c, arg); c == nil || c.DisableFlagParsing {
			return args // an error of the command, not of the flags
		}
		if !c.HasSubCommands() {
			return append(args[:i+1:i+1], withTwoDashes(args[i+1:], c.Flags())...)
		}
	}
	return withTwoDashes(args, c.Flags())
}

func child(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

// newHelpCommand makes the command that shows the help of others.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	name := root.Name()
	f := &FlagSet{
		Command: name + " help", Args: "[COMMAND]", Summary: "shows the help of a command",
		Example: fmt.Sprintf("# The commands\n%[1]s help\n\n# What a command does, and its flags\n%[1]s help %[2]s",
			name, visibleNames(root)[0]),
	}
	return NewCommand(f, func(string) string { return "" }, func(args []string) error {
		c := root
		for _, arg := range args {
			if c = child(c, arg); c == nil {
				return &UsageError{name, fmt.Errorf("unknown command %q: want %s", strings.Join(args, " "),
					OneOf(visibleNames(root)))}
			}
		}
		if c.DisableFlagParsing {
			return c.RunE(c, []string{"--help"})
		}
		c.HelpFunc()(c, args)
		return nil
	})
}

// AddVersion makes --version print a line.
func AddVersion(root *cobra.Command, line string) {
	root.Version = line
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().AddFlag(&pflag.Flag{Name: "version", Usage: "show the version", NoOptDefVal: "true",
		Value: new(versionValue)})
}

// versionValue is whether --version was given.
type versionValue bool

// Set notes that it was.
func (v *versionValue) Set(text string) error {
	if text != "true" {
		return errors.New("--version takes no value")
	}
	*v = true
	return nil
}

// String returns the value.
func (v *versionValue) String() string { return fmt.Sprint(bool(*v)) }

// Type says that the flag takes no value.
func (v *versionValue) Type() string { return "bool" }
