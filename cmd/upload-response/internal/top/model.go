package top

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// model is the state of the screen.
type model struct {
	ctx    context.Context
	client *admin.Client

	frame    frame
	before   *admin.Status
	note     string // at the bottom
	lost     error  // why there is no status; nil: there is
	question *question
	paused   bool
}

// question is an order that the user has to confirm.
type question struct {
	text string
	give func(context.Context) (note string, err error)
}

// Messages, besides those of package tea.
type (
	statusMessage struct{ status *admin.Status }
	lostMessage   struct{ err error }
	noteMessage   struct{ text string }
)

// orderTime is how long the server may take to do as it is told.
const orderTime = 10 * time.Second

// Init does nothing: the statuses come from outside.
func (m *model) Init() tea.Cmd { return nil }

// Update takes a message.
func (m *model) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case tea.WindowSizeMsg:
		m.frame.width, m.frame.height = message.Width, message.Height-1
	case statusMessage:
		m.take(message.status)
	case lostMessage:
		m.lost = message.err
	case noteMessage:
		m.note = message.text
	case tea.KeyPressMsg:
		return m, m.press(message.String())
	}
	return m, nil
}

// take shows a new status.
func (m *model) take(status *admin.Status) {
	m.lost = nil
	if m.paused {
		return
	}
	m.before = m.frame.status
	m.frame.status, m.frame.rates = status, newRates(m.before, status)
	for p := range panes {
		if m.frame.indexOf(p) < 0 {
			m.frame.selected[p] = ""
			if keys := m.frame.keys(p); len(keys) > 0 {
				m.frame.selected[p] = keys[0]
			}
		}
	}
}

// press handles a key.
func (m *model) press(key string) tea.Cmd {
	if m.question != nil {
		return m.answer(key)
	}
	m.note = ""
	switch key {
	case "q", "ctrl+c", "esc":
		return tea.Quit
	case "tab":
		m.frame.pane = (m.frame.pane + 1) % panes
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "p", "space":
		m.paused = !m.paused
	case "c":
		m.askToCancel()
	case "r":
		m.askToRestart()
	}
	return nil
}

// move selects another row of the pane.
func (m *model) move(by int) {
	if m.frame.status == nil {
		return
	}
	keys := m.frame.keys(m.frame.pane)
	if len(keys) == 0 {
		return
	}
	at := slices.Index(keys, m.frame.selected[m.frame.pane])
	m.frame.selected[m.frame.pane] = keys[max(0, min(at+by, len(keys)-1))]
}

func (m *model) askToCancel() {
	if m.frame.status == nil {
		return
	}
	for i := range m.frame.status.Streams {
		s := &m.frame.status.Streams[i]
		if id := s.ID; m.frame.isSelected(streamPane, strconv.FormatUint(id, 10)) {
			m.question = &question{fmt.Sprintf("cancel %s %s? its client gets 503, or a response that breaks off",
				s.Method, oneLine(s.Target)), func(ctx context.Context) (string, error) {
				return "the request is over", m.client.Cancel(ctx, id)
			}}
			return
		}
	}
	m.note = "select a request first: Tab changes between requests and workers"
}

func (m *model) askToRestart() {
	if m.frame.status == nil {
		return
	}
	for i := range m.frame.status.Workers {
		w := &m.frame.status.Workers[i]
		if name := w.Name; m.frame.isSelected(workerPane, workerKey(w)) {
			m.question = &question{"restart " + oneLine(name) + "? its running requests are finished",
				func(ctx context.Context) (string, error) {
					_, err := m.client.Restart(ctx, name)
					return name + " was replaced", err
				}}
			return
		}
	}
	m.note = "select a worker first: Tab changes between requests and workers"
}

// answer takes the answer to the question.
func (m *model) answer(key string) tea.Cmd {
	give := m.question.give
	m.question = nil
	switch key {
	case "y":
	case "ctrl+c":
		return tea.Quit
	default:
		m.note = "nothing was done"
		return nil
	}
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, orderTime)
		defer cancel()
		note, err := give(ctx)
		if err != nil {
			note = err.Error()
		}
		return noteMessage{note}
	}
}

const help = "Tab requests/workers  ↑↓ select  c cancel request  r restart worker  p pause  q quit"

// View draws the screen.
func (m *model) View() tea.View {
	view := tea.NewView(strings.Join(m.lines(), "\n"))
	view.AltScreen = true
	view.WindowTitle = "upload-response top"
	return view
}

func (m *model) lines() []string {
	if m.frame.width == 0 {
		return nil
	}
	var list []string
	if m.frame.status != nil {
		list = m.frame.lines()
	}
	for len(list) < m.frame.height {
		list = append(list, "")
	}
	list = append(list[:m.frame.height], m.bottom())
	for i, line := range list {
		list[i] = ansi.Truncate(line, m.frame.width, "")
	}
	return list
}

// bottom returns the last line.
func (m *model) bottom() string {
	switch {
	case m.question != nil:
		return warn.Render(m.question.text + " (y/n)")
	case m.lost != nil:
		return bad.Render(oneLine(m.lost.Error()) + ": trying again")
	case m.note != "":
		return bold.Render(oneLine(m.note))
	case m.paused:
		return warn.Render("paused: p goes on")
	case m.frame.status == nil:
		return faint.Render("connecting")
	}
	return faint.Render(help)
}
