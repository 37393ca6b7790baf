package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/signal"

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
The command returns when that is done. The exit status is 1 if something has not changed that was
to, which the error and the log of the server tell. A server without an admin listener gets
SIGHUP: then only its log tells.
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

func (p *program) reloadCommand() *cobra.Command {
	flags := &cli.FlagSet{
		Command: "upload-response reload", Summary: "has a server read again what can change while it runs",
		Example: reloadExample, Notes: reloadNotes,
	}
	return p.orderCommand(flags, order{
		func(ctx context.Context, c *admin.Client) (any, string, error) {
			answer, err := c.Reload(ctx)
			return answer, fmt.Sprintf("process %d has read its files again", answer.PID), err
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
			return p.signalServer(c.socket, &o)
		}
		client := admin.NewClient(c.address, c.token)
		defer client.Close()
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		answer, text, err := o.ask(ctx, client)
		problem := &admin.Problem{}
		switch {
		case errors.Is(err, admin.ErrNoServer),
			errors.As(err, &problem) && problem.Status == http.StatusNotFound: // of a version without the order
			return p.signalServer(c.socket, &o)
		case err != nil:
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
func (p *program) signalServer(socket string, o *order) error {
	server, err := openServer(socket)
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
	_, err = fmt.Fprintf(p.stdout, "process %d %s\n", server.pid, o.outcome)
	return err
}
