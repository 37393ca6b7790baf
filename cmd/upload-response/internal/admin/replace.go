package admin

import (
	"net/http"
	"os"
)

// Reloaded is the answer to an order to read files again, or to take a configuration, when that
// is done.
type Reloaded struct {
	PID     int      `json:"pid"`  // of the server
	File    string   `json:"file"` // the configuration file; empty: there is none
	Changed []Change `json:"changed"`

	Tag string `json:"-"` // the ETag of what is in effect now
}

// Upgraded is the answer to an order to have another process take over, when it serves.
type Upgraded struct {
	From int `json:"from"` // the process that is about to end
	PID  int `json:"pid"`  // the one that serves now
}

// reload has the server read its files again. Workers may be replaced meanwhile, which takes time.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if s.config.Reload == nil {
		sendProblem(w, http.StatusConflict, "there are no files to read again")
		return
	}
	withoutDeadline(func(w http.ResponseWriter, _ *http.Request) {
		answer, err := s.config.Reload()
		if err != nil {
			sendConfigProblem(w, err)
			return
		}
		sendJSON(w, answer)
	})(w, r)
}

// upgrade has another process take over, and answers when it does, or why not.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if s.config.Upgrade == nil {
		sendProblem(w, http.StatusConflict, "no other process can take the place of this server")
		return
	}
	withoutDeadline(func(w http.ResponseWriter, _ *http.Request) {
		pid, err := s.config.Upgrade()
		if err != nil {
			sendProblem(w, http.StatusConflict, err.Error())
			return
		}
		sendJSON(w, &Upgraded{From: os.Getpid(), PID: pid})
	})(w, r)
}
