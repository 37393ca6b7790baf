package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// adminCommands returns the commands that ask a running server.
func (p *program) adminCommands() []*cobra.Command {
	return []*cobra.Command{
		p.statusCommand(), p.topCommand(), p.workersCommand(), p.streamsCommand(), p.cancelCommand(),
		p.restartCommand(), p.scaleCommand(), p.drainCommand(), p.undrainCommand(),
		p.stacksCommand(), p.logsCommand(), p.webCommand(),
	}
}

// asker is a command that asks a server.
type asker struct {
	name, args, summary, example, notes string
	options                             []cli.Option // of its own
	arguments                           int          // how many it needs
	usual                               bool         // Ctrl-C is the usual way to end it
	run                                 func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error
}

// newAsker makes the command. It ends at SIGINT and SIGTERM.
func (p *program) newAsker(a *asker) *cobra.Command {
	var c adminClient
	f := &cli.FlagSet{Command: self + " " + a.name, Args: a.args, Summary: a.summary, Example: a.example,
		Notes: a.notes}
	f.Groups = c.flags(p.getenv, a.options...)
	return cli.NewCommand(f, p.getenv, func(args []string) error {
		if want := a.arguments; len(args) < want {
			return f.Usage(fmt.Errorf("no %s", strings.Fields(a.args)[len(args)]))
		}
		if most := len(strings.Fields(a.args)); len(args) > most {
			return f.Usage(fmt.Errorf("unexpected argument %q", args[most]))
		}
		client, err := c.connect(f)
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		err = a.run(ctx, client, args, c.json)
		switch {
		case a.usual && errors.Is(err, context.Canceled):
			return nil
		case errors.Is(err, os.ErrPermission):
			return fmt.Errorf("%w (it answers to its own user, and to root)", err)
		case errors.Is(err, admin.ErrNoServer):
			return fmt.Errorf("%w (is it running? --socket or --admin says where it is)", err)
		case errors.As(err, new(*argumentError)):
			return f.Usage(err)
		}
		return err
	})
}

// argumentError is a mistake in an argument.
type argumentError struct{ text string }

func (e *argumentError) Error() string { return e.text }

// table prints rows of columns, the first of which is the heading.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

const statusExample = `
# What the server on this machine does
upload-response status

# For a program: all that is known, also of workers and running requests
upload-response status --json
`

func (p *program) statusCommand() *cobra.Command {
	return p.newAsker(&asker{name: "status", summary: "shows the apps of a running server", example: statusExample,
		run: func(ctx context.Context, c *admin.Client, _ []string, asJSON bool) error {
			status, err := c.Status(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, status)
			}
			return printStatus(p.stdout, status)
		}})
}

func printStatus(w io.Writer, s *admin.Status) error {
	end := ""
	if s.Draining {
		end = ", about to end"
	}
	fmt.Fprintf(w, "upload-response %s, process %d, up %s%s: %d running, %d waiting, %d requests done, %d failed\n\n",
		s.Version, s.PID, admin.FormatAge(s.At.Sub(s.Started)), end, s.Stats.ActiveStreams, s.Stats.Waiting,
		s.Stats.Exchanges, s.Stats.Failed)
	rows := [][]string{{"APP", "STATE", "WORKERS", "BUSY", "QUEUE", "RESTARTS", ""}}
	for _, a := range s.Apps {
		workers := strconv.Itoa(a.Workers)
		if a.Processes > 0 {
			workers = fmt.Sprintf("%d of %d", a.Workers, a.Processes)
		}
		rows = append(rows, []string{a.Name, a.State, workers, fmt.Sprintf("%d of %d", a.Busy, a.Lanes),
			strconv.Itoa(a.Queue), strconv.FormatInt(a.Restarts, 10), a.Reason})
	}
	return table(w, rows)
}

const workersExample = `
# Processes, and how busy they are
upload-response workers

# The process numbers of those that run
upload-response workers --json | jq '.[] | select(.state == "running") | .pid'
`

func (p *program) workersCommand() *cobra.Command {
	return p.newAsker(&asker{name: "workers", summary: "lists the workers of a running server", example: workersExample,
		run: func(ctx context.Context, c *admin.Client, _ []string, asJSON bool) error {
			status, err := c.Status(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, status.Workers)
			}
			rows := [][]string{{"WORKER", "STATE", "PID", "AGE", "BUSY", "SERVED", "MEMORY", "CPU"}}
			for _, w := range status.Workers {
				rows = append(rows, workerRow(&w, status.At))
			}
			return table(p.stdout, rows)
		}})
}

func workerRow(w *admin.Worker, at time.Time) []string {
	pid, age, memory, cpu := "-", "-", "-", "-"
	if w.PID != 0 {
		pid, age = strconv.Itoa(w.PID), admin.FormatAge(at.Sub(w.Since))
	}
	if w.Memory > 0 {
		memory, cpu = admin.FormatBytes(w.Memory), fmt.Sprintf("%.1fs", w.CPU)
	}
	state := w.State
	if w.Reason != "" {
		state += " (" + w.Reason + ")"
	}
	name := w.Name
	if !w.Started {
		name = w.App + ": " + w.Name
	}
	return []string{name, state, pid, age, fmt.Sprintf("%d of %d", w.Busy, w.Lanes),
		strconv.FormatUint(w.Served, 10), memory, cpu}
}

const restartExample = `
# Replace the workers of an app one by one: each new one attaches before an old one ends
upload-response restart web

# Replace one worker
upload-response restart web/1
`

func (p *program) restartCommand() *cobra.Command {
	return p.newAsker(&asker{name: "restart", args: "APP|WORKER", arguments: 1, example: restartExample,
		summary: "replaces the workers of an app, or one of them, without losing a request",
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			answer, err := c.Restart(ctx, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, answer)
			}
			_, err = fmt.Fprintf(p.stdout, "%s was replaced\n", answer.Restarting)
			return err
		}})
}

const scaleExample = `
# Eight workers for an app, until the server starts again
upload-response scale web=8
`

func (p *program) scaleCommand() *cobra.Command {
	return p.newAsker(&asker{name: "scale", args: "APP=N", arguments: 1, example: scaleExample,
		summary: "sets the number of workers of an app",
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			app, number, _ := strings.Cut(args[0], "=")
			n, err := strconv.Atoi(number)
			if err != nil || app == "" {
				return &argumentError{fmt.Sprintf("%q: want APP=N, such as web=4", args[0])}
			}
			answer, err := c.Scale(ctx, app, n)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, answer)
			}
			_, err = fmt.Fprintf(p.stdout, "%s is to have %d workers\n", app, answer.Processes)
			return err
		}})
}

const stacksExample = `
# Where a worker is in its code just now
upload-response stacks web/0
`

func (p *program) stacksCommand() *cobra.Command {
	return p.newAsker(&asker{name: "stacks", args: "WORKER", arguments: 1, example: stacksExample,
		summary: "prints the stacks of a worker, which goes on",
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			if !strings.Contains(args[0], "/") {
				return &argumentError{fmt.Sprintf("%q: want the name of a worker, such as web/0", args[0])}
			}
			answer, err := c.Stacks(ctx, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, answer)
			}
			_, err = io.WriteString(p.stdout, answer.Text)
			return err
		}})
}
