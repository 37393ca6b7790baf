package relay

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// Redirect sends clients elsewhere.
type Redirect struct {
	pieces []piece
	status int
}

// piece is text, or a variable.
type piece struct {
	text     string
	variable string // such as path, without the $; empty: text
}

// redirectVariables are those that a target may have.
var redirectVariables = []string{"scheme", "host", "path", "query"}

// NewRedirect compiles a target with variables. The status is 307 if it is 0.
func NewRedirect(to string, status int) (*Redirect, error) {
	r := &Redirect{status: status}
	switch status {
	case 0:
		r.status = http.StatusTemporaryRedirect
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
	default:
		return nil, fmt.Errorf("redirect status %d: want 301, 302, 303, 307 or 308", status)
	}
	if to == "" || strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, fmt.Errorf("redirect to %q: want a URL in ASCII, without spaces", to)
	}
	for to != "" {
		var next piece
		var err error
		if next, to, err = cutPiece(to); err != nil {
			return nil, err
		}
		r.pieces = append(r.pieces, next)
	}
	return r, nil
}

// cutPiece returns the first piece of a target, and the rest.
func cutPiece(to string) (p piece, rest string, err error) {
	at := strings.IndexByte(to, '$')
	switch {
	case at < 0:
		return piece{text: to}, "", nil
	case at > 0:
		return piece{text: to[:at]}, to[at:], nil
	case strings.HasPrefix(to, "$$"):
		return piece{text: "$"}, to[2:], nil
	}
	for _, name := range redirectVariables {
		if rest, ok := strings.CutPrefix(to[1:], name); ok {
			return piece{variable: name}, rest, nil
		}
	}
	return p, "", fmt.Errorf("redirect to %q: want one of $%s, or $$ for a $", to,
		strings.Join(redirectVariables, ", $"))
}

// location returns where the client of an exchange is sent.
func (r *Redirect) location(x *exchange) (string, error) {
	path, query, found := strings.Cut(x.target(), "?")
	if found {
		query = "?" + query
	}
	var b strings.Builder
	for i := range r.pieces {
		switch p := &r.pieces[i]; p.variable {
		case "":
			b.WriteString(p.text)
		case "scheme":
			b.WriteString(x.client.scheme)
		case "path":
			b.WriteString(path)
		case "query":
			b.WriteString(query)
		case "host":
			host := x.client.hostOf(x.request)
			if host == "" {
				return "", fmt.Errorf("%w: no host", fault.ErrBadRequest)
			}
			b.WriteString(host)
		}
	}
	return onThisHost(escaped(b.String()), &r.pieces[0]), nil
}

// onThisHost keeps the path of a client from naming another host, as //evil.example does: at
// the beginning of a location there is one slash. First is the first piece of the target.
func onThisHost(location string, first *piece) string {
	if first.variable != "path" && first.text != "/" {
		return location
	}
	return "/" + strings.TrimLeft(location, `/\`)
}

// escaped escapes what a client has sent and a location cannot have.
func escaped(location string) string {
	if !strings.ContainsFunc(location, notInLocation) {
		return location
	}
	var b strings.Builder
	for i := range len(location) {
		if c := location[i]; notInLocation(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// notInLocation reports whether a URL cannot have a character (RFC 3986 section 2).
func notInLocation(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"<>\\^`{|}", c) }

// redirect sends the client elsewhere.
func (x *exchange) redirect(r *Redirect) error {
	location, err := r.location(x)
	if err != nil {
		return err
	}
	x.writer.Header()["Location"] = []string{location}
	return x.answer(r.status, "", nil)
}
