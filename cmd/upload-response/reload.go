package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

const reloadExample = `
# After a certificate was renewed
upload-response reload

# The server with another worker socket
upload-response reload --socket /run/shop/workers.sock
`

const reloadNotes = `
The server reads its configuration file and its certificates again, and the command prints what
has changed. If something is wrong, the configuration stays as it was, the command says why, and
the exit status is 1. A server without an admin listener gets SIGHUP: then only its log tells.
`

const upgradeExample = `
# After a new version of the program was installed
upload-response upgrade

# The server with another worker socket
upload-response upgrade --socket /run/shop/workers.sock
`

const upgradeNotes = `
The server starts its program as it is on disk now, with the arguments and the environment that
it has itself; the new process reads the configuration. It takes the listeners, starts workers of
its own, and serves when they are attached. Then the old process accepts nothing more, finishes
what runs, for --shutdown-timeout at most, and ends. No connection is refused.

The command returns when the new process serves. If it does not come up, the old one goes on
serving, and the exit status is 1. A server without an admin listener gets SIGUSR2: then only its
log tells.
`

// order is what a command has a running server do.
type order struct {
	ask     func(ctx context.Context, c *admin.Client) (answer any, text string, err error)
	signal  unix.Signal // for a server that cannot be asked
	outcome string      // what the signal does
}

// signalled is what is known of an order that was a signal.
type signalled struct {
	PID     int    `json:"pid"`
	Signal  string `json:"signal"`
	Outcome string `json:"outcome"`
}

func (p *program) reloadCommand() *cobra.Command {
	flags := &cli.FlagSet{
		Command: "upload-response reload", Summary: "has a server read again what can change while it runs",
		Example: reloadExample, Notes: reloadNotes,
	}
	return p.orderCommand(flags, order{
		func(ctx context.Context, c *admin.Client) (any, string, error) {
			answer, err := c.Reload(ctx)
			return answer, reloadedText(answer), err
		}, unix.SIGHUP, "reads its files again; its log says what has changed",
	})
}

func (p *program) upgradeCommand() *cobra.Command {
	flags := &cli.FlagSet{
		Command: "upload-response upgrade", Summary: "has a new process of the program take the place of a server",
		Example: upgradeExample, Notes: upgradeNotes,
	}
	return p.orderCommand(flags, order{
		func(ctx context.Context, c *admin.Client) (any, string, error) {
			answer, err := c.Upgrade(ctx)
			return answer, fmt.Sprintf("process %d serves in place of process %d", answer.PID, answer.From), err
		}, unix.SIGUSR2, "starts another process; its log says what came of it",
	})
}

// orderCommand makes the command that gives an order.
func (p *program) orderCommand(flags *cli.FlagSet, o order) *cobra.Command {
	var c adminClient
	flags.Groups = c.flags(p.getenv)
	return cli.NewCommand(flags, p.getenv, func([]string) error {
		c.complete(flags.Given, c.socket)
		if c.address == (admin.Address{}) {
			return p.signalServer(&c, &o)
		}
		client := admin.NewClient(c.address, c.token)
		defer client.Close()
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		answer, text, err := o.ask(ctx, client)
		problem := &admin.Problem{}
		switch {
		case errors.Is(err, admin.ErrNoServer) && !flags.Given("admin"),
			errors.As(err, &problem) && problem.Status == http.StatusNotFound: // of a version without the order
			return p.signalServer(&c, &o)
		case err != nil:
			if c.json && problem.Detail != "" {
				return errors.Join(printJSON(p.stdout, problem), err)
			}
			return err
		case c.json:
			return printJSON(p.stdout, answer)
		}
		_, err = fmt.Fprintln(p.stdout, text)
		return err
	})
}

// signalServer sends a signal to the server with a worker socket. Another program that has a
// router in it could die of that.
func (p *program) signalServer(c *adminClient, o *order) error {
	server, err := openServer(c.socket)
	if err != nil {
		return err
	}
	defer server.close()
	if !server.isOurProgram() {
		return fmt.Errorf("process %d is %s, and may not survive %s", server.pid, processName(server.pid),
			unix.SignalName(o.signal))
	}
	if err := server.signal(o.signal); err != nil {
		return err
	}
	if c.json {
		return printJSON(p.stdout, &signalled{server.pid, unix.SignalName(o.signal), o.outcome})
	}
	_, err = fmt.Fprintf(p.stdout, "process %d %s\n", server.pid, o.outcome)
	return err
}

// reloadedText says what a reload has changed.
func reloadedText(r *admin.Reloaded) string {
	var b strings.Builder
	fmt.Fprintf(&b, "process %d has read its files again", r.PID)
	if r.File == "" {
		return b.String()
	}
	fmt.Fprintf(&b, ", changed in %s: %d", r.File, len(r.Changed))
	for _, c := range r.Changed {
		fmt.Fprintf(&b, "\n  %s: %s -> %s", c.Key, cmp.Or(c.Before, "(none)"), cmp.Or(c.After, "(none)"))
	}
	return b.String()
}
