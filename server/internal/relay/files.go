package relay

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/files"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// serveFile sends the file that the path of the request names. It reports done = false if
// there is none, and the route has a pool for that.
func (x *exchange) serveFile() (done bool, err error) {
	pool := x.route.pool != nil
	if m := x.request.Method; m != http.MethodGet && m != http.MethodHead {
		if !pool {
			x.writer.Header()["Allow"] = []string{"GET, HEAD"}
		}
		return !pool, fault.ErrFileMethod
	}
	if x.handshake != nil && (pool || x.handshake.Extended()) {
		return !pool, fault.ErrNoWebSocket
	}
	if !x.relay.downloads.openFiles.Take(x.client.holder, 1) {
		return true, fault.ErrManyFiles
	}
	defer x.relay.downloads.openFiles.Give(x.client.holder, 1)
	file, err := x.findFile()
	switch {
	case errors.Is(err, files.ErrNone):
		return !pool, fmt.Errorf("%w: %s", fault.ErrNoFile, x.request.URL.Path)
	case err != nil:
		return true, err
	}
	defer file.Close()
	if file.MissesSlash {
		return true, x.addSlash()
	}
	return true, x.sendFile(file)
}

// findFile opens the file of the request. No file has a slash in its name.
func (x *exchange) findFile() (*files.File, error) {
	escaped, _, _ := strings.Cut(x.target(), "?")
	path, err := url.PathUnescape(escaped)
	if err != nil || strings.Count(path, "/") != strings.Count(escaped, "/") {
		return nil, files.ErrNone
	}
	return x.route.files.Find(path, x.request.Header["Accept-Encoding"])
}

// addSlash sends a client from a folder to its index, in which relative links would lead
// elsewhere.
func (x *exchange) addSlash() error {
	path, query, found := strings.Cut(x.wholeTarget(), "?")
	if path = "/" + strings.TrimLeft(path, "/") + "/"; found {
		path += "?" + query
	}
	x.writer.Header()["Location"] = []string{escaped(path)}
	return x.answer(http.StatusMovedPermanently, "", nil)
}

// sendFile sends a file, or the ranges of it that the client wants, or says why not.
func (x *exchange) sendFile(file *files.File) error {
	x.setFileFields(file)
	w := fileWriter{
		exchange: x, inner: x.writer, sender: protocol.FileSender(x.writer), size: file.Info.Size(), promised: -1,
	}
	x.relay.downloads.add(&w)
	defer x.relay.downloads.remove(&w)
	http.ServeContent(&w, x.request, "", file.Info.ModTime(), file.File)
	if err := w.end(); err != nil {
		return err
	}
	x.dropRest()
	return nil
}

// setFileFields sets the fields that describe a file.
func (x *exchange) setFileFields(file *files.File) {
	fields := x.writer.Header()
	x.client.setResponseFields(fields)
	fields["Content-Type"] = []string{file.ContentType}
	fields["X-Content-Type-Options"] = []string{"nosniff"}
	fields["Etag"] = []string{file.Tag()}
	if file.CacheControl != "" {
		fields["Cache-Control"] = []string{file.CacheControl}
	}
	if file.Varies {
		fields["Vary"] = []string{"Accept-Encoding"}
	}
	if file.Coding != "" {
		fields["Content-Encoding"] = []string{file.Coding}
	}
}
