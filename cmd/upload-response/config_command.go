package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

const checkExample = `
# Is the file of this folder, or else that in /etc/upload-response, right?
upload-response check

# Another file, with a flag as the server will have it
upload-response check -c staging.yaml --listen :8080
`

// checkCommand makes the command that does all that a start does but listen.
func (p *program) checkCommand() *cobra.Command {
	var s settings
	flags := s.flags(p.getenv)
	flags.Command, flags.Example, flags.Notes = self+" check", checkExample, ""
	flags.Summary = "checks the configuration, as a start of the server would"
	return cli.NewCommand(flags, p.getenv, func([]string) error { return p.check(&s, flags) })
}

func (p *program) check(s *settings, flags *cli.FlagSet) error {
	if err := s.finish(flags); err != nil {
		return err
	}
	if err := s.explain(flags, s.tryStart()); err != nil {
		return err
	}
	warnOfUnknown(slog.New(slog.NewTextHandler(p.stderr, nil)), flags)
	_, err := fmt.Fprintln(p.stdout, s.summary())
	return err
}

// tryStart returns the error that a start would end with, unless it comes from listening.
func (s *settings) tryStart() error {
	if err := s.checkPrograms(); err != nil {
		return err
	}
	if _, err := s.listeners.loadCertificates(slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if err := s.config.Check(); err != nil {
		return s.routerError(err)
	}
	return nil
}

// summary says what was found right.
func (s *settings) summary() string {
	name := s.file.Name()
	if name == "" {
		name = "no file, flags and variables"
	}
	var addresses []string
	for _, a := range s.listeners.addresses {
		addresses = append(addresses, a.String())
	}
	return fmt.Sprintf("%s: good (%s, %s, listens on %s)", name, count(len(s.config.Routes), "route"),
		count(len(s.apps), "app with processes", "apps with processes"), strings.Join(addresses, " "))
}

// count returns a number and what there are so many of.
func count(n int, one string, more ...string) string {
	several := one + "s"
	if more != nil {
		several = more[0]
	}
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

const configExample = `
# What is set, and where
upload-response config show

# What is in effect, for a program
upload-response config show --effective --json
`

// configCommand makes the command of those that show and make configurations.
func (p *program) configCommand() *cobra.Command {
	return cli.NewGroup(&cli.FlagSet{
		Command: self + " config", Summary: "shows and converts configurations", Example: configExample,
	}, "command", p.showCommand(), p.schemaCommand())
}

const showExample = `
# What the file, variables and flags set, with the line or name of each
upload-response config show

# The defaults, too
upload-response config show --effective
`

func (p *program) showCommand() *cobra.Command {
	var s settings
	var effective, asJSON bool
	flags := s.flags(p.getenv)
	flags.Command, flags.Example, flags.Notes = self+" config show", showExample, ""
	flags.Summary = "prints every value that is set, and where it comes from"
	output := jsonFlags(&asJSON)
	output[0].Options = append(output[0].Options, cli.Option{
		Name: "effective", Help: "print the defaults, too", Parse: cli.Toggle(&effective),
	})
	flags.Groups = append(output, flags.Groups...)
	flags.Common = append([]string{"effective", "json"}, flags.Common...)
	return cli.NewCommand(flags, p.getenv, func([]string) error {
		f, err := config.Load(s.fileName)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(p.stdout, f.Origins(flags, effective))
		}
		return f.Show(p.stdout, flags, effective)
	})
}

const schemaExample = `
# For editors that speak to the YAML language server
upload-response config schema > upload-response.schema.json
`

func (p *program) schemaCommand() *cobra.Command {
	return cli.NewCommand(&cli.FlagSet{
		Command: self + " config schema", Summary: "prints the JSON schema of the configuration file",
		Example: schemaExample,
	}, os.Getenv, func([]string) error {
		_, err := fmt.Fprint(p.stdout, config.Schema)
		return err
	})
}
