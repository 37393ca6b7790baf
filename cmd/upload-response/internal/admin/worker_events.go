package admin

import (
	"bytes"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// Worker publishes what happened to a worker.
func (e *Events) Worker(event supervise.Event) {
	message := string(event.Kind)
	if event.Detail != "" {
		message += ": " + event.Detail
	}
	e.Publish(Event{Time: event.Time, Type: TypeWorker, App: event.App, Worker: event.Worker, PID: event.PID,
		Message: shorten(message), Attributes: map[string]any{"kind": string(event.Kind)}})
}

// Output returns where workers write whose output goes to another place: what passes through
// the server is an event, too. What workers write to a file of their own is none.
func (e *Events) Output(to supervise.Output) supervise.Output {
	write := to.Write
	if write == nil {
		return to
	}
	to.Write = func(app, worker string, lines []byte) {
		write(app, worker, lines)
		e.publishLines(app, worker, lines)
	}
	return to
}

// publishLines publishes what a worker has printed: whole lines, if they are not too long.
func (e *Events) publishLines(app, worker string, lines []byte) {
	for len(lines) > 0 {
		n := len(lines)
		if n > longestText {
			n = longestText
			if end := bytes.LastIndexByte(lines[:n], '\n'); end >= 0 {
				n = end + 1
			}
		}
		e.Publish(Event{Type: TypeOutput, Level: "info", App: app, Worker: worker,
			Message: shorten(string(bytes.TrimSuffix(lines[:n], []byte("\n"))))})
		lines = lines[n:]
	}
}
