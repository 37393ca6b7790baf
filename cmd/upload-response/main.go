// Upload-response is a streaming request/response proxy over shared memory: the
// server, the built-in workers, and a few helpers. Run it with --help.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// program is what a command may touch of the process that it runs in.
type program struct {
	stdout, stderr io.Writer
	out, err       *logWriter // the same; nil before outlive
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
		{"bench", "measure the speed: " + benchmarkNames(), (*program).bench},
		{"layout", "print the layout of the shared memory", (*program).layout},
		{"version", "print the version", (*program).version},
	}
}

func main() {
	p := &program{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.main(os.Args[1:]))
}

// main runs the command that args name and returns the exit status: 0, 1 when
// something went wrong, 2 when args make no sense.
func (p *program) main(args []string) int {
	defer p.flush()
	err := p.dispatch(args)
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "upload-response: %v (see '%s --help')\n", usage.err, usage.command)
		return 2
	}
	fmt.Fprintf(p.stderr, "upload-response: %v\n", err)
	return 1
}

func (p *program) dispatch(args []string) error {
	if len(args) == 0 {
		return &usageError{"upload-response", errors.New("no command: want " + commandNames())}
	}
	switch args[0] {
	case "help", "--help", "-help", "-h":
		return p.help(args[1:])
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(p, args[1:])
		}
	}
	return &usageError{"upload-response", fmt.Errorf("unknown command %q: want %s", args[0], commandNames())}
}

// help prints the help of the program, or of the command that args name.
func (p *program) help(args []string) error {
	if len(args) > 0 {
		return p.dispatch(append(args, "--help"))
	}
	fmt.Fprint(p.stdout, "Upload-response: a streaming request/response proxy over shared memory.\n\nUsage: upload-response COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(p.stdout, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprint(p.stdout, "\n'upload-response COMMAND --help' lists the flags of a command.\n")
	return nil
}

func commandNames() string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return oneOf(names)
}

// oneOf joins names as "a, b or c".
func oneOf(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// usageError is a mistake in how the program was called.
type usageError struct {
	command string // whose help explains it
	err     error
}

// Error says what is wrong.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake itself.
func (e *usageError) Unwrap() error { return e.err }
