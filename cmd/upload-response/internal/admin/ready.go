package admin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// livez says that the process is there and answers.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// readyz says whether requests are served: with a line for each app, or for those that the
// query names.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	status := s.status()
	apps := status.Apps
	if names := r.URL.Query()["app"]; len(names) > 0 {
		apps = nil
		for _, name := range names {
			app := status.find(name)
			if app == nil {
				sendProblem(w, http.StatusNotFound, fmt.Sprintf("there is no app %q", name))
				return
			}
			apps = append(apps, *app)
		}
	}
	text, ready := readiness(apps, status.Draining)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, text)
}

// readiness returns a line for each app, and whether all are ready.
func readiness(apps []App, draining bool) (text string, ready bool) {
	var lines strings.Builder
	if draining {
		lines.WriteString("the server is about to end\n")
	}
	ready = !draining
	for i := range apps {
		a := &apps[i]
		if a.State == AppReady {
			fmt.Fprintf(&lines, "%s: ready, workers: %d\n", a.Name, a.Workers)
			continue
		}
		ready = false
		fmt.Fprintf(&lines, "%s: not ready: %s\n", a.Name, strings.ReplaceAll(a.Reason, "\n", " "))
	}
	return lines.String(), ready
}
