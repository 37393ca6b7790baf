package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/server/supervise"
)

const logsExample = `
# The last lines of the log, and those that come
upload-response logs --follow

# Warnings and errors only, of the last hours
upload-response logs --level warn --tail 500
`

const logsNotes = `
The server keeps its last 512 events: records of its log from level info up, with what its workers
print, and what happened to the workers.
`

func (p *program) logsCommand() *cobra.Command {
	var follow bool
	wanted := admin.Watch{Level: "info", Tail: 20}
	return p.newAsker(&asker{
		name: "logs", summary: "prints the log of a running server", example: logsExample, notes: logsNotes,
		usual: true,
		options: []cli.Option{
			{Name: "follow", Short: "f", Help: "go on with what comes", Parse: cli.Toggle(&follow)},
			{Name: "tail", Short: "n", Arg: "N", Help: "so many of the last events", Default: strconv.Itoa(wanted.Tail),
				Parse: cli.Number(&wanted.Tail, 1, 0, 1<<20)},
			{Name: "level", Arg: "LEVEL", Help: "records from this level up: info, warn or error",
				Default: wanted.Level, Parse: cli.Choice(&wanted.Level, "info", "warn", "error"),
				Words: []string{"info", "warn", "error"}},
		},
		run: func(ctx context.Context, c *admin.Client, _ []string, asJSON bool) error {
			if !follow {
				wanted.Status = time.Minute // the first status comes after the last event that is kept
			}
			show := func(e *admin.Event) error {
				switch {
				case asJSON:
					return json.NewEncoder(p.stdout).Encode(e)
				case isSaidTwice(e, wanted.Level):
					return nil
				}
				return printEvent(p.stdout, e)
			}
			err := c.Events(ctx, wanted, show, func(*admin.Status) error { return errShown })
			if errors.Is(err, errShown) {
				return nil
			}
			return err
		}})
}

// errShown ends the stream of events when all that were kept have come.
var errShown = errors.New("shown")

// isSaidTwice reports whether another event says the same, or more. The end of a worker is an event of the worker
// and a record of the log. The record says more, but from level warn up it is missing for an end that was wanted.
func isSaidTwice(e *admin.Event, level string) bool {
	if level == "info" {
		return e.Type == admin.TypeWorker && e.Attributes["kind"] == string(supervise.EventEnded)
	}
	_, below := e.Attributes["killed"] // a process below that of the worker, for which there is only the record
	return e.Type == admin.TypeLog && e.Message == supervise.MessageEnded && !below
}

// printEvent prints an event as a line, or as many as its message has.
func printEvent(w io.Writer, e *admin.Event) error {
	level := e.Level
	if level == "" || e.Type == admin.TypeOutput {
		level = e.Type
	}
	line := fmt.Sprintf("%s %-6s %s", e.Time.Local().Format("15:04:05.000"), strings.ToUpper(level),
		admin.Printable(strings.TrimRight(e.Message, "\n")))
	if e.Worker != "" {
		line += " worker=" + quoted(e.Worker)
	} else if e.App != "" {
		line += " app=" + quoted(e.App)
	}
	if e.PID != 0 {
		line += fmt.Sprintf(" pid=%d", e.PID)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Attributes)) {
		if e.Type != admin.TypeWorker || key != "kind" { // the message begins with it
			line += " " + admin.Printable(key) + "=" + quoted(fmt.Sprint(e.Attributes[key]))
		}
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// quoted returns text that is one word in a line.
func quoted(text string) string {
	if text == "" || strings.ContainsAny(text, " \"=") || admin.Printable(text) != text {
		return strconv.Quote(text)
	}
	return text
}
