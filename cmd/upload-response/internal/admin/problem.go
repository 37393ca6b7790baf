package admin

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Problem is an error as the API tells it (RFC 9457).
type Problem struct {
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"` // in a configuration
}

// Error returns the detail, or all that is wrong in a configuration.
func (p *Problem) Error() string {
	if len(p.Errors) == 0 {
		return p.Detail
	}
	var texts []string
	for i := range p.Errors {
		texts = append(texts, p.Errors[i].String())
	}
	return strings.Join(texts, "\n\n")
}

// sendProblem answers with an error.
func sendProblem(w http.ResponseWriter, status int, detail string) {
	send(w, &Problem{Status: status, Detail: detail})
}

// send answers with a problem, whose title it sets.
func send(w http.ResponseWriter, p *Problem) {
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// sendJSON answers with a value.
func sendJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
}
