package top

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// The screen is drawn anew with each status, and a server that is gone is asked again after a
// pause.
const (
	statusTime = time.Second
	retryTime  = time.Second
)

// Run shows the screen on a terminal until the user quits, or ctx ends.
func Run(ctx context.Context, client *admin.Client, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &model{ctx: ctx, client: client}
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out),
		tea.WithoutSignalHandler())
	go follow(ctx, client, program.Send)
	_, err := program.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// follow sends the statuses of the server as they come, until ctx ends.
func follow(ctx context.Context, client *admin.Client, send func(tea.Msg)) {
	for ctx.Err() == nil {
		err := client.Events(ctx, admin.Watch{Level: "off", Status: statusTime}, nil, func(s *admin.Status) error {
			send(statusMessage{s})
			return nil
		})
		if err == nil {
			err = errors.New("the server has ended")
		}
		if ctx.Err() == nil {
			send(lostMessage{err})
		}
		select {
		case <-time.After(retryTime):
		case <-ctx.Done():
		}
	}
}

// Once writes one frame of a width, with colours or without. Rates are those of a second.
func Once(ctx context.Context, client *admin.Client, out io.Writer, width int, colours bool) error {
	var before *admin.Status
	err := client.Events(ctx, admin.Watch{Level: "off", Status: statusTime}, nil, func(s *admin.Status) error {
		if before == nil {
			before = s
			return nil
		}
		f := frame{status: s, rates: newRates(before, s), width: width, pane: panes}
		for _, line := range f.lines() {
			if !colours {
				line = strings.TrimRight(ansi.Strip(line), " ")
			}
			if _, err := lipgloss.Fprintln(out, line); err != nil {
				return err
			}
		}
		return errShown
	})
	if errors.Is(err, errShown) {
		return nil
	}
	return err
}

// errShown ends the stream of statuses.
var errShown = errors.New("shown")
