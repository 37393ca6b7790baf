package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/top"
)

const topExample = `
# What the server on this machine does, live
upload-response top

# One frame, for a script or a report of a fault
upload-response top --once
`

const topNotes = `
The arrows select a request or, after Tab, a worker: c cancels the request, and r restarts the
worker, after a question. p holds the screen still, and q ends.
`

func (p *program) topCommand() *cobra.Command {
	var once bool
	return p.newAsker(&asker{
		name: "top", summary: "shows live what a running server does", example: topExample, notes: topNotes,
		usual:   true,
		options: []cli.Option{{Name: "once", Help: "print one frame and end", Parse: cli.Toggle(&once)}},
		run: func(ctx context.Context, c *admin.Client, _ []string, asJSON bool) error {
			status, err := c.Status(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, status)
			}
			width, isTerminal := terminalWidth(p.stdout)
			if once {
				return top.Once(ctx, c, p.stdout, width, isTerminal)
			}
			if !isTerminal {
				return errors.New("this is no terminal: use --once or --json")
			}
			return top.Run(ctx, c, os.Stdin, p.stdout)
		}})
}

// usualWidth is that of a frame which does not go to a terminal.
const usualWidth = 120

// terminalWidth returns how wide the terminal is to which w writes, if it does.
func terminalWidth(w any) (width int, isTerminal bool) {
	file, ok := w.(*os.File)
	if !ok {
		return usualWidth, false
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return usualWidth, false
	}
	if size.Col == 0 {
		return usualWidth, true
	}
	return int(size.Col), true
}
