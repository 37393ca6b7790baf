package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/proto/attach"
)

const reloadExample = `
# After a certificate was renewed
upload-response reload

# The server with another worker socket
upload-response reload --socket /run/shop/workers.sock
`

const reloadNotes = `
The server is the process that listens on the worker socket: it gets SIGHUP. Its log says what
has changed, and why something has not.
`

func (p *program) reloadCommand() *cobra.Command {
	socket := attach.DefaultSocket(p.getenv)
	flags := &cli.FlagSet{
		Command: "upload-response reload", Summary: "has a server read again what can change while it runs",
		Example: reloadExample, Notes: reloadNotes,
		Groups: []cli.Group{{Heading: "Server", Options: []cli.Option{serverSocket(&socket)}}},
	}
	return cli.NewCommand(flags, p.getenv, func([]string) error { return p.reloadServer(socket) })
}

// reloadServer sends SIGHUP to the server with a worker socket. Another program that has a
// router in it could die of that.
func (p *program) reloadServer(socket string) error {
	server, err := openServer(socket)
	if err != nil {
		return err
	}
	defer server.close()
	if !server.isOurProgram() {
		return fmt.Errorf("process %d is %s, and may not survive SIGHUP", server.pid, processName(server.pid))
	}
	if err := server.signal(unix.SIGHUP); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "process %d reads its files again; its log says what has changed\n", server.pid)
	return err
}
