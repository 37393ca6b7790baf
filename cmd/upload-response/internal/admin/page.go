package admin

import (
	"embed"
	"io/fs"
	"net/http"
)

// page is the web page and what it loads: no build step makes it.
//
//go:embed page openapi.json
var page embed.FS

// pagePolicy lets the page load and call nothing but ours, and nobody put it into a frame.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// routePage adds the page to mux.
func (s *Server) routePage(mux *http.ServeMux) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	assets := http.StripPrefix("/assets/", http.FileServerFS(files))
	mux.Handle("GET /assets/", withPolicy(assets))
	mux.Handle("GET /{$}", withPolicy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "page.html")
	})))
}

func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		next.ServeHTTP(w, r)
	})
}

func (s *Server) getOpenAPI(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, page, "openapi.json")
}
