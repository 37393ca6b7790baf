package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

const webExample = `
# The web page of the server on this machine, in a browser
upload-response web

# Of a server elsewhere: on the port that ssh brings here (ssh -L 9999:127.0.0.1:9999 HOST)
upload-response web --port 9999
`

const webNotes = `
A browser cannot open the Unix socket of the admin listener. This command answers on a port of
127.0.0.1, and passes on what has a token, which is in the address that it prints. Both end with it.
`

func (p *program) webCommand() *cobra.Command {
	var port uint32
	return p.newAsker(&asker{
		name: "web", summary: "shows the web page of a running server", example: webExample, notes: webNotes,
		usual: true,
		options: []cli.Option{{Name: "port", Arg: "PORT", Help: "port on 127.0.0.1; 0: any that is free", Default: "0",
			Parse: cli.Number(&port, 1, 0, 65535)}},
		run: func(ctx context.Context, c *admin.Client, _ []string, asJSON bool) error {
			if _, err := c.Status(ctx); err != nil {
				return err
			}
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.FormatUint(uint64(port), 10)))
			if err != nil {
				return err
			}
			bridge := admin.NewBridge(c)
			server := bridge.Server()
			go func() {
				<-ctx.Done()
				_ = server.Close()
			}()
			if err := p.printBridge(listener.Addr(), bridge, asJSON); err != nil {
				return err
			}
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return ctx.Err()
		}})
}

func (p *program) printBridge(at net.Addr, b *admin.Bridge, asJSON bool) error {
	url := fmt.Sprintf("http://%s/#token=%s", at, b.Token)
	if asJSON {
		return printJSON(p.stdout, map[string]string{"url": url})
	}
	_, err := fmt.Fprintf(p.stdout, "%s\n\nOpen it in a browser on this machine; Ctrl-C ends it.\n", url)
	return err
}
