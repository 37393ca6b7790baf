package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/proto/attach"
)

const stopExample = `
# Let the server finish what is running, and wait for its end
upload-response stop

# The one with another worker socket, at once
upload-response stop --socket /run/shop/workers.sock --now
`

const stopNotes = `
The server is the process that listens on the worker socket. It takes no more requests, finishes
those that are running, for --shutdown-timeout at most, and ends. The exit status is 1 if there
is no server, or if it has not ended in time.
`

func (p *program) stopCommand() *cobra.Command {
	var now bool
	socket, timeout := attach.DefaultSocket(p.getenv), 45*time.Second
	flags := &cli.FlagSet{
		Command: "upload-response stop", Summary: "ends a server when its requests have finished",
		Example: stopExample, Notes: stopNotes,
		Groups: []cli.Group{{Heading: "Server", Options: []cli.Option{
			serverSocket(&socket),
			{Name: "now", Help: "cut off the requests that are running", Parse: cli.Toggle(&now)},
			{Name: "timeout", Arg: "TIME", Help: "longest wait for the end", Default: timeout.String(),
				Parse: cli.Duration(&timeout, time.Millisecond)},
		}}},
	}
	return cli.NewCommand(flags, p.getenv, func([]string) error { return p.stopServer(socket, timeout, now) })
}

// serverSocket is the option that says which server is meant.
func serverSocket(p *string) cli.Option {
	return cli.Option{Name: "socket", Arg: "PATH", Help: "Unix socket for workers of the server", Default: *p,
		Parse: socketPath(p)}
}

// stopServer asks the server with a worker socket to end, and waits for that.
func (p *program) stopServer(socket string, timeout time.Duration, now bool) error {
	server, err := openServer(socket)
	if err != nil {
		return err
	}
	defer server.close()
	start := time.Now()
	if err := server.signal(unix.SIGTERM); err != nil {
		return err
	}
	if now {
		if err := server.signalAgain(timeout); err != nil {
			return err
		}
	}
	ended, err := server.wait(timeout - time.Since(start))
	if err != nil {
		return err
	}
	if !ended {
		return fmt.Errorf("process %d still runs after %v: --now cuts off the requests that are running", server.pid,
			timeout)
	}
	_, err = fmt.Fprintf(p.stdout, "process %d has ended\n", server.pid)
	return err
}
