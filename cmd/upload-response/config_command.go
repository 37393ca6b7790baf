package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config/convert"
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
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	warnOfUnknown(log, flags)
	s.warnOfLimits(log)
	_, err := fmt.Fprintln(p.stdout, s.summary())
	return err
}

// tryStart returns the error that a start would end with, unless it comes from listening.
func (s *settings) tryStart() error {
	if err := s.checkPrograms(); err != nil {
		return err
	}
	if len(s.listeners.certificates.acme.domains) == 0 { // those in the store of an authority need no check
		if _, err := s.listeners.loadCertificates(slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
	}
	if err := s.config.Check(); err != nil {
		return s.routerError(err)
	}
	return s.checkFolders()
}

// checkFolders returns an error if the folder of a socket or a log that the file names does not
// exist. Those in /run are made when the service starts.
func (s *settings) checkFolders() error {
	paths := [][2]string{{"socket", s.socket}, {"log-file", s.logFiles.log}, {"access-log-file", s.logFiles.access},
		{"admin", strings.TrimPrefix(s.admin.address.String(), "unix:")}}
	for _, a := range s.listeners.addresses {
		if path, is := strings.CutPrefix(a.String(), "unix:"); is {
			paths = append(paths, [2]string{"listen", path})
		}
	}
	for _, p := range paths {
		dir := filepath.Dir(p[1])
		if s.file.Place(config.FlagKeys()[p[0]]) == "" || !filepath.IsAbs(p[1]) || strings.HasPrefix(dir+"/", "/run/") {
			continue
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("--%s %s: there is no folder %s: make it, or choose another path", p[0], p[1], dir)
		}
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

// count returns a number with the noun that belongs to it.
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

# The configuration of another server, as far as it can be carried over
upload-response config convert --from nginx /etc/nginx/sites-enabled/shop
`

// configCommand makes the command of those that show and make configurations.
func (p *program) configCommand() *cobra.Command {
	return cli.NewGroup(&cli.FlagSet{
		Command: self + " config", Summary: "shows and converts configurations", Example: configExample,
	}, "command", p.showCommand(), p.schemaCommand(), p.convertCommand())
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
	flags.Summary = "prints every value that is set, and its source"
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

const convertExample = `
# What nginx says about a site, with the apps still to be filled in
upload-response config convert --from nginx /etc/nginx/sites-enabled/shop > upload-response.yaml

# A gunicorn.conf.py, which is read and not run, with the application of gunicorn's command line
upload-response config convert --from gunicorn --app shop.wsgi:application gunicorn.conf.py

# What NGINX Unit has, from its control socket
curl --unix-socket /run/control.unit.sock http://localhost/config | upload-response config convert --from unit -
`

const convertNotes = `
FILE is the configuration of the other server; - is standard input. What cannot be carried over
is listed at the top of the output, and on standard error.
`

func (p *program) convertCommand() *cobra.Command {
	var from, app string
	return cli.NewCommand(&cli.FlagSet{
		Command: self + " config convert", Args: "FILE", Example: convertExample, Notes: convertNotes,
		Summary: "prints the configuration of another server as one of ours",
		Groups: []cli.Group{{Heading: "Input", Options: []cli.Option{
			{Name: "from", Arg: "SERVER", Help: "unit, gunicorn or nginx", Words: []string{"unit", "gunicorn", "nginx"},
				Parse: cli.Choice(&from, "unit", "gunicorn", "nginx")},
			{Name: "app", Arg: "MODULE:APP", Help: "the application that gunicorn's command line names",
				Parse: cli.Text(&app)},
		}}},
	}, p.getenv, func(args []string) error { return p.convert(from, app, args) })
}

func (p *program) convert(from, app string, args []string) error {
	usage := func(text string) error {
		return &cli.UsageError{Command: self + " config convert", Err: errors.New(text)}
	}
	if from == "" {
		return usage("--from is missing: want unit, gunicorn or nginx")
	}
	if len(args) != 1 {
		return usage("want the name of one file, or - for standard input")
	}
	text, err := readInput(args[0])
	if err != nil {
		return err
	}
	var result *convert.Result
	switch from {
	case "unit":
		result, err = convert.Unit(text)
	case "gunicorn":
		result, err = convert.Gunicorn(text, app)
	case "nginx":
		result, err = convert.NGINX(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	for _, left := range result.Left {
		fmt.Fprintf(p.stderr, "not converted: %s\n", left)
	}
	output, err := result.Text(from + ", " + filepath.Base(args[0]))
	if err == nil {
		_, err = p.stdout.Write(output)
	}
	return err
}

// mostInput is the longest file that is converted, in bytes.
const mostInput = 4 << 20

// readInput reads a file, or standard input if the name is "-".
func readInput(name string) ([]byte, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return nil, err
		}
		defer file.Close()
	}
	text, err := io.ReadAll(io.LimitReader(file, mostInput+1))
	if err == nil && len(text) > mostInput {
		err = fmt.Errorf("%s is longer than %d bytes", name, mostInput)
	}
	return text, err
}
