// Package errorpage makes the bodies of the responses in which the server says why a request
// failed: as text, HTML or problem details (RFC 9457), whichever the client prefers.
package errorpage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// Config says how failures are told. The zero value tells them as the client prefers.
type Config struct {
	Format string            // auto, text, html or json; empty: auto
	Pages  map[string]string // files by status, "502", or class, "5xx"
}

// Failure is what a client is told.
type Failure struct {
	Status    int
	Reason    string // the kind, in a few words
	RequestID string
}

// page is a body in one media type.
type page struct {
	media       string // without parameters
	contentType string
	content     []byte // of a file, in which idVariable stands for the id of the request; nil: made
}

const idVariable = "$request_id"

// The bodies that are made, in the order of equally welcome ones.
var (
	text    = page{media: "text/plain", contentType: "text/plain; charset=utf-8"}
	hyper   = page{media: "text/html", contentType: "text/html; charset=utf-8"}
	problem = page{media: "application/problem+json", contentType: "application/problem+json"}

	formats = map[string]*page{"": nil, "auto": nil, "text": &text, "html": &hyper, "json": &problem}
)

// Pages makes bodies. It is used by many goroutines and never changes.
type Pages struct {
	format *page // nil: as the client prefers
	files  map[string]*page
}

// mostBytes is the size of the largest page.
const mostBytes = 1 << 20

// New reads the files. It returns an error if one cannot be read, or for a configuration that
// makes no sense.
func New(c Config) (*Pages, error) {
	format, known := formats[c.Format]
	if !known {
		return nil, fmt.Errorf("error format %q: want auto, text, html or json", c.Format)
	}
	p := &Pages{format: format, files: map[string]*page{}}
	for status, file := range c.Pages {
		if !validStatus(status) {
			return nil, fmt.Errorf("error page %q: want a status from 400 to 599, or 4xx or 5xx", status)
		}
		read, err := readPage(file)
		if err != nil {
			return nil, fmt.Errorf("error page of %s: %w", status, err)
		}
		p.files[status] = read
	}
	return p, nil
}

func validStatus(text string) bool {
	if text == "4xx" || text == "5xx" {
		return true
	}
	status, err := strconv.Atoi(text)
	return err == nil && len(text) == 3 && status >= 400 && status <= 599
}

func readPage(file string) (*page, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > mostBytes {
		return nil, fmt.Errorf("%s: over %d bytes", file, mostBytes)
	}
	p := &page{contentType: contentTypes[filepath.Ext(file)], content: append([]byte{}, content...)}
	if p.contentType == "" {
		return nil, fmt.Errorf("%s: want a name that ends in .html, .txt or .json", file)
	}
	p.media, _, _ = mime.ParseMediaType(p.contentType)
	return p, nil
}

var contentTypes = map[string]string{
	".html": hyper.contentType, ".htm": hyper.contentType, ".txt": text.contentType, ".json": problem.contentType,
}

// Varies reports whether bodies depend on what clients accept.
func (p *Pages) Varies() bool { return p.format == nil }

// Make returns the body for a failure and its type; accept has the values of the Accept field
// of the request. A file for the status comes before what is made, if both are equally
// welcome, or if the format is fixed. The caller does not change the body.
func (p *Pages) Make(f *Failure, accept []string) (contentType string, body []byte) {
	best := p.file(f.Status)
	switch {
	case p.format == nil:
		best = choose(best, accept)
	case best == nil:
		best = p.format
	}
	return best.contentType, best.make(f)
}

// file returns the page of a status, or nil.
func (p *Pages) file(status int) *page {
	if len(p.files) == 0 {
		return nil
	}
	if page := p.files[strconv.Itoa(status)]; page != nil {
		return page
	}
	return p.files[strconv.Itoa(status/100)+"xx"]
}

func (p *page) make(f *Failure) []byte {
	switch {
	case p.content != nil:
		return bytes.ReplaceAll(p.content, []byte(idVariable), []byte(html.EscapeString(f.RequestID)))
	case p == &hyper:
		return f.html()
	case p == &problem:
		return f.problem()
	}
	return fmt.Appendf(nil, "%d %s: %s\n", f.Status, http.StatusText(f.Status), f.Reason)
}

func (f *Failure) html() []byte {
	title := strconv.Itoa(f.Status) + " " + http.StatusText(f.Status)
	return fmt.Appendf(nil, `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1rem }</style>
<h1>%[1]s</h1>
<p>%s.</p>
<p>Request id: <code>%s</code></p>
</html>
`, html.EscapeString(title), html.EscapeString(f.Reason), html.EscapeString(f.RequestID))
}

func (f *Failure) problem() []byte {
	body, _ := json.Marshal(struct { // strings and a number: no error
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
	}{"about:blank", http.StatusText(f.Status), f.Status, f.Reason, f.RequestID})
	return append(body, '\n')
}
