package admin

import (
	"fmt"
	"net/http"
)

// Drained is the answer to an order to drain an app, or to end that.
type Drained struct {
	App     string `json:"app"`
	Drained bool   `json:"drained"` // it gets no more requests
	Busy    int    `json:"busy"`    // requests that its workers still have
}

func (s *Server) drainApp(w http.ResponseWriter, r *http.Request) {
	s.drain(w, r.PathValue("app"), true)
}
func (s *Server) undrainApp(w http.ResponseWriter, r *http.Request) {
	s.drain(w, r.PathValue("app"), false)
}

// drain has an app, with all that serve its pool, get no more requests, or get them again.
func (s *Server) drain(w http.ResponseWriter, name string, drained bool) {
	app := s.status().find(name)
	if app == nil || !s.setDrained(app, drained) {
		sendProblem(w, http.StatusNotFound, fmt.Sprintf("there is no app %q", name))
		return
	}
	answer := &Drained{App: name, Drained: drained}
	if now := s.status().find(name); now != nil {
		answer.Busy = now.Busy
	}
	sendJSON(w, answer)
}

// setDrained reports whether the pool of the app is there. What has changed is in the log, and an event.
func (s *Server) setDrained(app *App, drained bool) bool {
	set, kind := s.config.Router.ResumePool, "undrained"
	if drained {
		set, kind = s.config.Router.DrainPool, "drained"
	}
	if !set(app.Pool) {
		return false
	}
	s.forgetStatus()
	if drained != (app.State == AppDrained) {
		s.config.Log.Info("app "+kind, "app", app.Name, "pool", app.Pool)
		s.config.Events.Publish(Event{Type: TypeWorker, App: app.Name, Message: kind,
			Attributes: map[string]any{"kind": kind}})
	}
	return true
}

// resume ends the drain of an app that gets other workers.
func (s *Server) resume(name string) {
	if app := s.status().find(name); app != nil && app.State == AppDrained {
		s.setDrained(app, false)
	}
}

// forgetStatus has the next reader get a new status.
func (s *Server) forgetStatus() {
	s.snapshot.Lock()
	defer s.snapshot.Unlock()
	s.last = nil
}
