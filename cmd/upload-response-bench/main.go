// Upload-response-bench measures the speed of upload-response, beside the limits of the
// machine. Run it with --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/ring"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

const self = "upload-response-bench"

// program is what a command may touch of its process.
type program struct {
	stdout, stderr io.Writer
	getenv         func(name string) string
}

func main() {
	p := &program{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.main(os.Args[1:]))
}

// main runs the benchmark that args name, and returns the exit status.
func (p *program) main(args []string) int {
	return cli.ExitStatus(p.stderr, self, p.run(args))
}

func (p *program) run(args []string) error {
	if len(args) == 0 {
		return &cli.UsageError{Command: self, Err: errors.New("no benchmark: want " + benchmarkNames())}
	}
	for _, b := range benchmarks() {
		if b.name == args[0] {
			return p.measure(&b, args[1:])
		}
	}
	switch {
	case args[0] == role.Command:
		return runRole(args[1:])
	case args[0] == "show":
		return p.showSaved(args[1:])
	case cli.IsHelp(args[0]) || args[0] == "help":
		return p.help()
	}
	return &cli.UsageError{Command: self, Err: fmt.Errorf("unknown benchmark %q: want %s", args[0], benchmarkNames())}
}

func (p *program) help() error {
	fmt.Fprintf(p.stdout, "%s: measures the speed of upload-response, beside the limits of the machine.\n\n"+
		"Usage: %s NAME [flags]\n\n", self, self)
	for _, b := range benchmarks() {
		fmt.Fprintf(p.stdout, "  %-8s %s\n", b.name, b.summary)
	}
	fmt.Fprintf(p.stdout, "  %-8s %s\n\n'%s NAME --help' lists the flags.\n", "show",
		"no measurement: what --json has written", self)
	return nil
}

// runRole makes this a process in a role: a benchmark starts those that it needs.
func runRole(args []string) error {
	roles := maps.Clone(role.Roles)
	maps.Copy(roles, ring.Roles)
	if len(args) == 0 || roles[args[0]] == nil {
		return fmt.Errorf("no such role: %q", args)
	}
	return roles[args[0]](args[1:])
}

func (p *program) measure(b *benchmark, args []string) error {
	var s settings
	flags := s.flags(b)
	if done, err := flags.ParseOrHelp(args, p.getenv, p.stdout); done || err != nil {
		return err
	}
	if err := s.complete(b, flags.Given); err != nil {
		return err
	}
	s.common.Progress = p.stderr
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	r, failed := b.run(ctx, &s)
	if errors.Is(failed, context.Canceled) {
		failed = errors.New("interrupted")
	}
	if r == nil || failed != nil && len(r.Tables) == 0 {
		return failed
	}
	if failed != nil {
		r.Skip("the rest", failed.Error())
	}
	r.Commands = []string{strings.Join(append([]string{self, b.name}, args...), " ")}
	return errors.Join(failed, p.show(&s.output, r))
}

// showSaved shows reports that were saved before.
func (p *program) showSaved(args []string) error {
	var out output
	var from []string
	files := cli.Option{
		Name: "from", Arg: "PATH", Help: "a file that --json has written; repeat to make one report of several",
		Parse: added(&from), Split: cli.Words,
	}
	flags := &cli.FlagSet{
		Command: self + " show", Summary: "shows what --json has written",
		Groups: []cli.Group{{Heading: "What to show", Options: append([]cli.Option{files}, out.options()...)}},
	}
	if done, err := flags.ParseOrHelp(args, p.getenv, p.stdout); done || err != nil {
		return err
	}
	if len(from) == 0 {
		return flags.Usage(errors.New("--from: which file?"))
	}
	r, err := report.LoadAll(from)
	if err != nil {
		return err
	}
	return p.show(&out, r)
}
