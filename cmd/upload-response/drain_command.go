package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

const drainExample = `
# Before the database of an app goes down: its requests get 503, those that run go on
upload-response drain api

# How many still run
upload-response status
`

const undrainExample = `
# Requests reach the app again
upload-response undrain api
`

const drainNotes = `
Requests for the app get 503 with Retry-After at once, also those that wait for a worker. What
runs goes on, and the workers stay. /readyz says that the app is not ready. That lasts until
undrain, restart or scale, or until the server starts again or is upgraded. Apps that serve the
same pool are drained together.
`

func (p *program) drainCommand() *cobra.Command {
	return p.newAsker(&asker{name: "drain", args: "APP", arguments: 1, example: drainExample, notes: drainNotes,
		summary: "gives an app no more requests, and lets those that run end",
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			answer, err := c.Drain(ctx, args[0], false)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(p.stdout, answer)
			}
			_, err = fmt.Fprintf(p.stdout, "%s gets no more requests, in progress: %d\n", answer.App, answer.Busy)
			return err
		}})
}

func (p *program) undrainCommand() *cobra.Command {
	return p.newAsker(&asker{name: "undrain", args: "APP", arguments: 1, example: undrainExample,
		summary: "gives an app requests again that was drained",
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			answer, err := c.Drain(ctx, args[0], true)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(p.stdout, answer)
			}
			_, err = fmt.Fprintf(p.stdout, "%s gets requests\n", answer.App)
			return err
		}})
}
