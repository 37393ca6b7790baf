package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// Configuration is the configuration of a server, as operators see and change it. All methods
// can be called at the same time.
type Configuration interface {
	// Effective returns what is in effect.
	Effective() *Effective
	// Check returns what a text would change, or an error as that of [config.Parse].
	Check(text []byte) ([]Change, error)
	// Replace puts a text into effect, and with save into the file, if the tag of what is in
	// effect matches. On an error nothing has changed: it is [ErrOutdated], wraps
	// [ErrNotPossible], or says what is wrong with the text.
	Replace(text []byte, matches func(tag string) bool, save bool) (*Reloaded, error)
}

// Effective is the configuration that is in effect.
type Effective struct {
	File   string          `json:"file"`   // empty: the server was started without one
	Saved  bool            `json:"saved"`  // the file says the same
	Values []config.Origin `json:"values"` // with the defaults; secrets are hidden

	Tag  string `json:"-"` // an ETag that changes with the text
	Text []byte `json:"-"` // of the file
}

// Change is a value that changes.
type Change struct {
	Key          string `json:"key"`
	Before       string `json:"before"` // as YAML; empty: none. Secrets are hidden.
	After        string `json:"after"`
	NeedsUpgrade bool   `json:"needs_upgrade"` // it cannot change while the server runs
}

// Changes returns differences as the API tells them.
func Changes(list []config.Change) []Change {
	changes := []Change{}
	for _, c := range list {
		changes = append(changes, Change{c.Key, c.Old, c.New, c.Upgrade})
	}
	return changes
}

// Checked is the answer about a text that is right.
type Checked struct {
	Changed []Change `json:"changed"` // what it would change
}

// Fault is something in a configuration that is wrong.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0: it is not about a single one
	Column  int    `json:"column"`
	Key     string `json:"key"` // empty: it is not about a single one
	Message string `json:"message"`
	Excerpt string `json:"excerpt"` // the lines around it
}

// String returns the fault as check prints it.
func (f *Fault) String() string {
	return (&config.Problem{File: f.File, Line: f.Line, Column: f.Column, Message: f.Message, Excerpt: f.Excerpt}).Error()
}

var (
	// ErrOutdated is returned when the configuration has changed since its ETag was read.
	ErrOutdated = errors.New("the configuration has changed since: read it again")
	// ErrNotPossible is wrapped in errors that are not about the text.
	ErrNotPossible = errors.New("not possible")
)

// configuration answers with an error if the server has no configuration.
func (s *Server) configuration(w http.ResponseWriter) Configuration {
	if s.config.Configuration == nil {
		sendProblem(w, http.StatusConflict, "this server has no configuration: it was not started by serve")
	}
	return s.config.Configuration
}

func (s *Server) getConfig(w http.ResponseWriter, r *http.Request) {
	if c := s.configuration(w); c != nil {
		if now := c.Effective(); !isCurrent(w, r, now.Tag) {
			sendJSON(w, now)
		}
	}
}

func (s *Server) getConfigFile(w http.ResponseWriter, r *http.Request) {
	c := s.configuration(w)
	if c == nil {
		return
	}
	now := c.Effective()
	switch {
	case now.File == "":
		sendProblem(w, http.StatusNotFound, "the server was started without a configuration file")
	case !isCurrent(w, r, now.Tag):
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(now.Text)
	}
}

// isCurrent sets the ETag, and answers a client that has what belongs to it already.
func isCurrent(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	if known := r.Header.Get("If-None-Match"); known == "" || !matches(known, tag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// matches reports whether a tag is among those of a header field.
func matches(field, tag string) bool {
	for one := range strings.SplitSeq(field, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == tag {
			return true
		}
	}
	return false
}

func (s *Server) putConfig(w http.ResponseWriter, r *http.Request) {
	c := s.configuration(w)
	if c == nil {
		return
	}
	save, ok := saves(r)
	if !ok {
		sendProblem(w, http.StatusBadRequest, "save: want true or false")
		return
	}
	text, ok := readText(w, r)
	if !ok {
		return
	}
	answer, err := c.Replace(text, func(tag string) bool {
		wanted := r.Header.Get("If-Match")
		return wanted == "" || matches(wanted, tag)
	}, save)
	if err != nil {
		sendConfigProblem(w, err)
		return
	}
	w.Header().Set("ETag", answer.Tag)
	sendJSON(w, answer)
}

// saves reports whether a request wants the file to be written, and whether it says so in an
// understandable way.
func saves(r *http.Request) (save, ok bool) {
	switch r.URL.Query().Get("save") {
	case "true":
		return true, true
	case "", "false":
		return false, true
	}
	return false, false
}

func (s *Server) checkConfig(w http.ResponseWriter, r *http.Request) {
	c := s.configuration(w)
	if c == nil {
		return
	}
	text, ok := readText(w, r)
	if !ok {
		return
	}
	changes, err := c.Check(text)
	if err != nil {
		sendConfigProblem(w, err)
		return
	}
	sendJSON(w, &Checked{Changed: changes})
}

// readText returns the body of a request, or answers that it is too long.
func readText(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	text, err := io.ReadAll(r.Body)
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		sendProblem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("want at most %d bytes", maxBody))
	case err != nil:
		sendProblem(w, http.StatusBadRequest, err.Error())
	default:
		return text, true
	}
	return nil, false
}

// sendConfigProblem answers with what is wrong with a configuration, or why it is not taken.
func sendConfigProblem(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrOutdated):
		sendProblem(w, http.StatusPreconditionFailed, err.Error())
	case errors.Is(err, ErrNotPossible):
		sendProblem(w, http.StatusConflict, err.Error())
	default:
		faults := faultsOf(err)
		send(w, &Problem{Status: http.StatusUnprocessableEntity, Detail: detailOf(err, faults), Errors: faults})
	}
}

// faultsOf returns the faults of a configuration that an error tells.
func faultsOf(err error) (list []Fault) {
	var problems config.Problems
	if joined, several := err.(interface{ Unwrap() []error }); several {
		for _, one := range joined.Unwrap() {
			list = append(list, faultsOf(one)...)
		}
	} else if errors.As(err, &problems) {
		for _, p := range problems {
			list = append(list, Fault{p.File, p.Line, p.Column, p.Key, p.Message, p.Excerpt})
		}
	}
	return list
}

// detailOf returns the first fault in a line, and how many others there are.
func detailOf(err error, faults []Fault) string {
	if len(faults) == 0 {
		return err.Error()
	}
	first := faults[0]
	first.Excerpt = ""
	if n := len(faults) - 1; n > 0 {
		return fmt.Sprintf("%s (and %d more)", first.String(), n)
	}
	return first.String()
}
