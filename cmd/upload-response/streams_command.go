package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

const streamsExample = `
# Requests that run now, the oldest first
upload-response streams

# Those of one app that have run for 5 seconds, as they get there, and how they end
upload-response streams web --follow --slow 5s
`

const streamsNotes = `
HELD BY is who keeps a request waiting: its client, which does not send or does not take what is
sent, or its worker, which does not read or does not respond. STATE is queued (no worker has room),
offered (a worker has not taken it yet), running, or ending (the response is over, the rest of an
upload comes in, or the worker has not let go of the request).
`

func (p *program) streamsCommand() *cobra.Command {
	var follow bool
	var slow time.Duration
	return p.newAsker(&asker{
		name: "streams", args: "[APP]", summary: "lists running requests", example: streamsExample, notes: streamsNotes,
		usual: true,
		options: []cli.Option{
			{Name: "follow", Short: "f", Help: "go on, and print what changes", Parse: cli.Toggle(&follow)},
			{Name: "slow", Arg: "TIME", Help: "only requests that have run for this long", Default: "0s",
				Parse: cli.Duration(&slow, 0)},
		},
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			app := ""
			if len(args) > 0 {
				app = args[0]
			}
			if follow {
				f := follower{out: p.stdout, app: app, slow: slow, json: asJSON, seen: map[uint64]admin.Stream{}}
				return c.Events(ctx, admin.Watch{Level: "off", Status: time.Second}, nil, f.look)
			}
			list, err := c.Streams(ctx, app, slow)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, list)
			}
			rows := [][]string{{"STREAM", "AGE", "STATE", "WORKER", "RECEIVED", "SENT", "HELD BY", "CLIENT", "REQUEST"}}
			for _, one := range list {
				rows = append(rows, streamRow(&one))
			}
			return table(p.stdout, rows)
		}})
}

func streamRow(s *admin.Stream) []string {
	held := "-"
	if s.HeldBy != "" {
		held = s.HeldBy
		if s.HeldFor > 0 {
			held += " " + admin.FormatAge(s.HeldFor)
		}
	}
	worker := s.Worker
	if worker == "" {
		worker = s.App
	}
	return []string{strconv.FormatUint(s.ID, 10), admin.FormatAge(seconds(s.Age)), s.State, worker,
		admin.FormatBytes(uint64(s.Received)), admin.FormatBytes(s.Sent), held, s.ClientAddress,
		s.Method + " " + admin.Printable(s.Target)}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// follower prints requests when they become slow, and when they are gone.
type follower struct {
	out  io.Writer
	app  string // empty: all
	slow time.Duration
	json bool
	seen map[uint64]admin.Stream // those printed and not gone, in their last state
}

// change is a line of JSON.
type change struct {
	Change string `json:"change"` // slow or gone
	admin.Stream
}

// look prints what has changed since the last status.
func (f *follower) look(status *admin.Status) error {
	now := map[uint64]bool{}
	for _, one := range status.Streams {
		if f.app != "" && one.App != f.app || seconds(one.Age) < f.slow {
			continue
		}
		now[one.ID] = true
		_, before := f.seen[one.ID]
		f.seen[one.ID] = one
		if before {
			continue
		}
		if err := f.print("slow", &one); err != nil {
			return err
		}
	}
	for id, one := range f.seen {
		if now[id] {
			continue
		}
		delete(f.seen, id)
		if err := f.print("gone", &one); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) print(what string, s *admin.Stream) error {
	if f.json {
		return json.NewEncoder(f.out).Encode(&change{what, *s})
	}
	row := streamRow(s)
	_, err := fmt.Fprintf(f.out, "%s  %s  age %s  %s  %s  received %s  sent %s  held by %s  %s  %s\n",
		what, row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8])
	return err
}

const cancelExample = `
# End a request: its client gets 503, or a response that breaks off
upload-response cancel 7713179046439288839
`

func (p *program) cancelCommand() *cobra.Command {
	return p.newAsker(&asker{name: "cancel", args: "STREAM", arguments: 1, example: cancelExample,
		summary: "ends a running request",
		run: func(ctx context.Context, c *admin.Client, args []string, asJSON bool) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return &argumentError{fmt.Sprintf("%q: want a number from the first column of 'streams'", args[0])}
			}
			if err := c.Cancel(ctx, id); err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, map[string]string{"cancelled": args[0]})
			}
			_, err = fmt.Fprintf(p.stdout, "request %d is over\n", id)
			return err
		}})
}
