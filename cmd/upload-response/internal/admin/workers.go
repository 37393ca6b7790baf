package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/server/supervise"
)

func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) { sendJSON(w, s.status()) }

func (s *Server) getApps(w http.ResponseWriter, _ *http.Request) { sendJSON(w, s.status().Apps) }

func (s *Server) getApp(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("app")
	if app := s.status().find(name); app != nil {
		sendJSON(w, app)
		return
	}
	sendProblem(w, http.StatusNotFound, fmt.Sprintf("there is no app %q", name))
}

func (s *Server) getWorkers(w http.ResponseWriter, _ *http.Request) { sendJSON(w, s.status().Workers) }

func (s *Server) getWorker(w http.ResponseWriter, r *http.Request) {
	name := workerName(r)
	if worker := s.status().worker(name); worker != nil {
		sendJSON(w, worker)
		return
	}
	sendProblem(w, http.StatusNotFound, fmt.Sprintf("there is no worker %q", name))
}

// workerName returns the name of the worker that a path is about.
func workerName(r *http.Request) string { return r.PathValue("app") + "/" + r.PathValue("slot") }

func (s *Server) restartApp(w http.ResponseWriter, r *http.Request)    { s.restart(w, r.PathValue("app")) }
func (s *Server) restartWorker(w http.ResponseWriter, r *http.Request) { s.restart(w, workerName(r)) }

// Restarted is the answer to an order to restart, when the new processes serve.
type Restarted struct {
	Restarting string `json:"restarting"` // an app, or a worker
}

// restart has the processes of an app or worker replaced, one by one.
func (s *Server) restart(w http.ResponseWriter, name string) {
	if !s.supervises(w, name) {
		return
	}
	if err := s.config.Supervisor.Restart(name); err != nil {
		sendOrderProblem(w, err)
		return
	}
	if !strings.Contains(name, "/") {
		s.resume(name)
	}
	w.WriteHeader(http.StatusAccepted)
	sendJSON(w, &Restarted{Restarting: name})
}

// supervises reports whether the server starts the workers of an app, and answers if it does
// not. The name may be a worker's.
func (s *Server) supervises(w http.ResponseWriter, name string) bool {
	app, _, _ := strings.Cut(name, "/")
	found := s.status().find(app)
	switch {
	case found == nil:
		sendProblem(w, http.StatusNotFound, fmt.Sprintf("there is no app %q", app))
	case s.config.Supervisor == nil || found.Processes == 0:
		sendProblem(w, http.StatusConflict, fmt.Sprintf("the server does not start the workers of app %q", app))
	default:
		return true
	}
	return false
}

// sendOrderProblem answers with why the supervisor did not do as it was told.
func sendOrderProblem(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, supervise.ErrUnknown):
		sendProblem(w, http.StatusNotFound, err.Error())
	case errors.Is(err, supervise.ErrStopped):
		sendProblem(w, http.StatusServiceUnavailable, err.Error())
	default:
		sendProblem(w, http.StatusConflict, err.Error())
	}
}

// Scale is the number of processes of an app.
type Scale struct {
	Processes int `json:"processes"`
}

func (s *Server) scaleApp(w http.ResponseWriter, r *http.Request) {
	var wanted Scale
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wanted); err != nil {
		sendProblem(w, http.StatusBadRequest, `want a body such as {"processes": 4}: `+err.Error())
		return
	}
	name := r.PathValue("app")
	if !s.supervises(w, name) {
		return
	}
	if err := s.config.Supervisor.Scale(name, wanted.Processes); err != nil {
		sendOrderProblem(w, err)
		return
	}
	s.resume(name)
	sendJSON(w, &wanted)
}

// Stacks is what the processes of a worker printed when they were asked for their stacks.
type Stacks struct {
	Worker string `json:"worker"`
	Asked  int    `json:"asked"` // processes
	Text   string `json:"text"`
}

// How long the processes of a worker may take to print their stacks, and be silent in between.
const (
	stacksTime  = 5 * time.Second
	stacksQuiet = 300 * time.Millisecond
)

// stacksOfWorker asks the processes of a worker for their stacks, and waits for what they print.
func (s *Server) stacksOfWorker(w http.ResponseWriter, r *http.Request) {
	name := workerName(r)
	if !s.supervises(w, name) {
		return
	}
	reader, _ := s.config.Events.subscribe(noEvents)
	defer s.config.Events.unsubscribe(reader)
	asked, err := s.config.Supervisor.Stacks(name)
	switch {
	case err != nil:
		sendOrderProblem(w, err)
	case asked == 0:
		sendProblem(w, http.StatusConflict, fmt.Sprintf("no process of %s can print its stacks: "+
			"those of the SDKs can when they are attached", name))
	default:
		sendJSON(w, &Stacks{Worker: name, Asked: asked, Text: collectOutput(r, reader, name)})
	}
}

// collectOutput returns what a worker prints until it is silent for a while.
func collectOutput(r *http.Request, reader *reader, worker string) string {
	var text strings.Builder
	end, quiet := time.After(stacksTime), time.NewTimer(stacksTime)
	defer quiet.Stop()
	for {
		select {
		case event := <-reader.events:
			if event.Worker == worker && event.Type != TypeWorker {
				text.WriteString(strings.TrimRight(event.Message, "\n") + "\n")
				quiet.Reset(stacksQuiet)
			}
		case <-quiet.C:
			return text.String()
		case <-end:
			return text.String()
		case <-r.Context().Done():
			return text.String()
		}
	}
}
