// Upload-response is a streaming request/response proxy over shared memory: the
// server, the built-in workers, and a few helpers. Run it with --help.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// program is what a command may touch of its process.
type program struct {
	stdout, stderr io.Writer
	out, err       *logWriter // the same; nil before survivePipes
	getenv         func(name string) string
}

// command is one of the program's subcommands.
type command struct {
	name    string
	summary string
	run     func(p *program, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "run the server", (*program).serve},
		{"worker", "run a built-in worker: " + builtinNames(), (*program).worker},
		{"demo", "run a server with the built-in workers, to try it out", (*program).demo},
		{"bench", "deprecated: run upload-response-bench", (*program).bench},
		{"layout", "print the layout of the shared memory", (*program).layout},
		{"version", "print the version", (*program).version},
	}
}

func main() {
	p := &program{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.main(os.Args[1:]))
}

// main runs the command that args name and returns the exit status.
func (p *program) main(args []string) int {
	defer p.flush()
	return cli.ExitStatus(p.stderr, "upload-response", p.runCommand(args))
}

func (p *program) runCommand(args []string) error {
	if len(args) == 0 {
		return &cli.UsageError{Command: "upload-response", Err: errors.New("no command: want " + commandNames())}
	}
	if cli.IsHelp(args[0]) || args[0] == "help" {
		return p.help(args[1:])
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(p, args[1:])
		}
	}
	return &cli.UsageError{Command: "upload-response",
		Err: fmt.Errorf("unknown command %q: want %s", args[0], commandNames())}
}

// help prints the help of the program, or of the command that args name.
func (p *program) help(args []string) error {
	if len(args) > 0 {
		return p.runCommand(append(args, "--help"))
	}
	fmt.Fprint(p.stdout, "upload-response: a streaming request/response proxy over shared memory.\n\n"+
		"Usage: upload-response COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(p.stdout, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprint(p.stdout, "\n'upload-response COMMAND --help' lists the flags of a command.\n")
	return nil
}

// commandNames lists the commands, apart from those that are deprecated.
func commandNames() string {
	var names []string
	for _, c := range commands() {
		if c.name != "bench" {
			names = append(names, c.name)
		}
	}
	return cli.OneOf(names)
}
