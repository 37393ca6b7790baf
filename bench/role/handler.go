package role

import (
	"io"
	"net/http"
	"path"
	"strconv"

	"github.com/wavey-ai/upload-response/bench/load"
)

// Handler serves the paths of the benchmarks, in a worker, in the process of a server, and
// behind other servers. Only the last part of the path counts.
var Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch path.Base(r.URL.Path) {
	case "hello":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, load.Hello)
	case "upload":
		upload(w, r)
	case "download":
		download(w, r)
	case "echo":
		echo(w, r)
	case "first":
		first(w, r)
	case "idle":
		idle(w, r)
	default:
		http.NotFound(w, r)
	}
})

// upload reads the body and answers with its checksum.
func upload(w http.ResponseWriter, r *http.Request) {
	var sum load.Checksum
	_, err := io.Copy(&sum, r.Body)
	abortOn(err)
	_, _ = io.WriteString(w, sum.String())
}

// download sends as many bytes as the query says.
func download(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil {
		http.Error(w, "how many bytes?", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	for left := size; left > 0; {
		n, err := w.Write(load.Payload[:min(left, int64(len(load.Payload)))])
		abortOn(err)
		left -= int64(n)
	}
}

// echo sends the body back while it comes in.
func echo(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	_, err := io.Copy(w, r.Body)
	abortOn(err)
}

// first sends a piece at once, and continues when it has the body.
func first(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	_ = c.EnableFullDuplex()
	_, _ = io.WriteString(w, load.Hello)
	abortOn(c.Flush())
	_, err := io.Copy(io.Discard, r.Body)
	abortOn(err)
	_, _ = io.WriteString(w, load.Hello)
}

// idle sends a piece at once, and then nothing until the client leaves.
func idle(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, load.Hello)
	abortOn(http.NewResponseController(w).Flush())
	<-r.Context().Done()
}

// abortOn aborts the request after an error.
func abortOn(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}
