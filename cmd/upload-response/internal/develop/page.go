package develop

import (
	"html/template"
	"net/http"
	"strings"
)

// failure is why an application does not serve.
type failure struct {
	Name   string // of the application
	How    string // the process ended
	Output string // the end of what it wrote
}

// silent is shown for a process that wrote nothing.
const silent = "It ended without a word, and had not attached to the server. A program has to be a worker; " +
	"a file in Python has an app, application, asgi, wsgi, create_app or make_app, or calls the SDK.\n"

// newFailure returns why the process of an application that has ended does not serve.
func newFailure(name string, p *process) *failure {
	output := p.output.text()
	if strings.TrimSpace(output) == "" {
		output = silent
	}
	return &failure{name, p.how, output}
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>{{.Name}} does not serve</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid #8886; border-radius: 6px; background: #8881; }
</style>
<h1>{{.Name}} does not serve: {{.How}}</h1>
<pre>{{.Output}}</pre>
<p>It starts again when a file changes. Only <code>upload-response run</code> shows this page.</p>
</html>
`))

// ServeHTTP shows the failure: as a page to browsers, and as text to others.
func (f *failure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(f.Name + " does not serve: " + f.How + "\n\n" + f.Output))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.WriteHeader(http.StatusInternalServerError)
	_ = page.Execute(w, f) // the client has left
}
