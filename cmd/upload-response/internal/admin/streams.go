package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// getStreams lists running requests: of one app, and only those that have run for a time.
func (s *Server) getStreams(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	slow, err := time.ParseDuration(query.Get("slow"))
	if err != nil && query.Has("slow") {
		sendProblem(w, http.StatusBadRequest, "slow: want a duration such as 5s or 500ms")
		return
	}
	pool := ""
	if name := query.Get("app"); name != "" {
		app := s.status().find(name)
		if app == nil {
			sendProblem(w, http.StatusNotFound, fmt.Sprintf("there is no app %q", name))
			return
		}
		pool = app.Pool
	}
	now := time.Now()
	list := []server.StreamStatus{}
	for _, one := range s.config.Router.Streams(pool, server.MaxStatusStreams) {
		if one.Age(now) >= slow {
			list = append(list, one)
		}
	}
	status := s.config.Router.Status()
	sendJSON(w, newCollection(s.config.Supervisor, &status).streams(list, now))
}

// cancelStream ends a running request.
func (s *Server) cancelStream(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		sendProblem(w, http.StatusBadRequest, "want the number of a stream, as /streams lists them")
		return
	}
	if !s.config.Router.CancelStream(id) {
		sendProblem(w, http.StatusNotFound, fmt.Sprintf("no request has stream %d, or its response is over", id))
		return
	}
	s.config.Log.Warn("request cancelled by an operator", "stream", id)
	w.WriteHeader(http.StatusNoContent)
}
