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

	"github.com/spf13/cobra"
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
	return cli.ExitStatus(p.stderr, self, cli.Execute(p.commands(args), args, p.stdout, p.stderr))
}

const mainExample = `
# Whole requests, in a minute or two
upload-response-bench http --quick

# The shared memory alone, and a picture of the curves
upload-response-bench ring --quick --plot ring.svg

# What a change has done to small requests
upload-response-bench http --cases requests --connections 16 --json now.json --compare before.json
`

// commands returns the tree of commands. A report says with which args it was made.
func (p *program) commands(args []string) *cobra.Command {
	var list []*cobra.Command
	for _, b := range benchmarks() {
		list = append(list, p.benchmarkCommand(&b, args))
	}
	return cli.NewGroup(&cli.FlagSet{
		Command: self, Summary: "measures the speed of upload-response, beside the limits of the machine",
		Example: mainExample,
	}, "benchmark", append(list, p.showCommand(),
		cli.NewHidden(role.Command, "becomes a process that a benchmark needs", runRole))...)
}

func (p *program) benchmarkCommand(b *benchmark, args []string) *cobra.Command {
	var s settings
	flags := s.flags(b)
	return cli.NewCommand(flags, p.getenv, func([]string) error {
		if err := s.complete(b, flags.Given); err != nil {
			return err
		}
		return p.measure(b, &s, args)
	})
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

func (p *program) measure(b *benchmark, s *settings, args []string) error {
	s.common.Progress = p.stderr
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	r, failed := b.run(ctx, s)
	if errors.Is(failed, context.Canceled) {
		failed = errors.New("interrupted")
	}
	if r == nil || failed != nil && len(r.Tables) == 0 {
		return failed
	}
	if failed != nil {
		r.Skip("the rest", failed.Error())
	}
	r.Commands = []string{strings.Join(append([]string{self}, args...), " ")}
	return errors.Join(failed, p.show(&s.output, r))
}

const showExample = `
# One page of what several runs have measured
upload-response-bench show --from ring.json --from http.json --markdown page.md
`

// showCommand returns the command that shows reports that were saved before.
func (p *program) showCommand() *cobra.Command {
	var out output
	var from []string
	files := cli.Option{
		Name: "from", Arg: "PATH", Help: "a file that --json has written; repeat to make one report of several",
		Parse: added(&from), Split: cli.Words,
	}
	flags := &cli.FlagSet{
		Command: self + " show", Summary: "shows what --json has written", Example: showExample,
		Groups: []cli.Group{{Heading: "What to show", Options: append([]cli.Option{files}, out.options()...)}},
	}
	return cli.NewCommand(flags, p.getenv, func([]string) error {
		if len(from) == 0 {
			return flags.Usage(errors.New("--from: which file?"))
		}
		r, err := report.LoadAll(from)
		if err != nil {
			return err
		}
		return p.show(&out, r)
	})
}
