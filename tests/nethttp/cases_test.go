package nethttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// testCase is a handler, and the request that it gets.
type testCase struct {
	name    string
	method  string // GET, if it is empty
	query   string
	body    func() io.Reader
	request func(*http.Request) // changes it
	leaves  bool                // the client goes after the first byte of the response
	length  bool                // the server may know the length and say it, or not
	handler func(w http.ResponseWriter, r *http.Request, n *notes)
	differs []difference
}

// difference is something in which worker.Serve is not net/http.
type difference struct {
	majors []int // versions of HTTP; none: all
	why    string
	how    func(want *outcome)
}

func bodyOf(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

// unsized is a body whose length is not announced.
func unsized(s string) func() io.Reader {
	return func() io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
}

var html = "<html>" + strings.Repeat("x", 5000)

// writes returns a handler that sets fields ("Name: value"), and writes pieces; "" is a Flush.
func writes(fields []string, pieces ...string) caseHandler {
	return func(w http.ResponseWriter, _ *http.Request, n *notes) {
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			w.Header().Add(name, value)
		}
		for _, p := range pieces {
			if p == "" {
				n.add("flush: %s", named(http.NewResponseController(w).Flush()))
				continue
			}
			written, err := io.WriteString(w, p)
			n.add("%d, %s", written, named(err))
		}
	}
}

// withStatus is writes after a status.
func withStatus(status int, fields []string, pieces ...string) caseHandler {
	return func(w http.ResponseWriter, r *http.Request, n *notes) {
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(status)
		writes(nil, pieces...)(w, r, n)
	}
}

func panicsWith(v any, before caseHandler) caseHandler {
	return func(w http.ResponseWriter, r *http.Request, n *notes) {
		before(w, r, n)
		panic(v)
	}
}

// refused is what a client sees of a handler that panics before anything was sent.
func refused(status int, body string) difference {
	return difference{nil, "a proxy's client gets an answer, not the end of its connection", func(want *outcome) {
		*want = outcome{Status: status, Body: body, Noted: want.Noted, Trailer: http.Header{"announced": nil},
			Header: http.Header{
				"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"},
				"Content-Length": {strconv.Itoa(len(body))},
			}}
		if status == http.StatusBadGateway { // the server's own answer, in one of several types
			want.Header.Set("Vary", "Accept")
		}
	}}
}

const (
	internalError = "internal server error\n"
	gaveUp        = "502 Bad Gateway: worker aborted\n"
)

var cases = []testCase{
	{name: "nothing", handler: writes(nil)},
	{name: "type of a short body", handler: writes(nil, "<html>")},
	{name: "type of a long body", handler: writes(nil, html)},
	{name: "type of a long body in pieces", handler: writes(nil, "<ht", "ml>", html)},
	{name: "type of a flushed body", length: true, handler: writes(nil, "<html>", "", "more")},
	{name: "no type of a body that came after the flush", length: true, handler: writes(nil, "", "<html>")},
	{name: "type that is said", handler: writes([]string{"Content-Type: a/b"}, html)},
	{name: "type that is empty", handler: writes([]string{"Content-Type: "}, html)},
	{name: "type that is nil", handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
		w.Header()["Content-Type"] = nil
		writes(nil, "<html>")(w, r, n)
	}},
	{name: "type that is nil, of a long body", handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
		w.Header()["Content-Type"] = nil
		writes(nil, html)(w, r, n)
	}},
	{name: "type of a coded body", handler: writes([]string{"Content-Encoding: x"}, "<html>")},
	{name: "type after a status", handler: withStatus(404, nil, "<html>")},
	{name: "type of a body that is copied", handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
		written, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(html)})
		n.add("%d, %s", written, named(err))
	}},
	{name: "type of a file that is copied", handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
		written, err := io.Copy(w, fileOf(html))
		n.add("%d, %s", written, named(err))
	}},

	{name: "no length of a long body", handler: writes(nil, strings.Repeat("a", 5000))},
	{name: "length, exactly", handler: writes([]string{"Content-Length: 5"}, "hello")},
	{name: "length of a long body", handler: writes([]string{"Content-Length: 5006"}, html)},
	{name: "more than the length in one", handler: writes([]string{"Content-Length: 3"}, "hello")},
	{name: "more than the length after it", handler: writes([]string{"Content-Length: 5"}, "hello", "x")},
	{name: "more than the length, and then less", handler: writes([]string{"Content-Length: 6"}, "hello", "xx", "x")},
	{name: "more than the length, flushed", handler: writes([]string{"Content-Length: 5"}, "hello", "", "x")},
	{name: "less than the length", handler: writes([]string{"Content-Length: 9"}, "hello")},
	{name: "less than the length, flushed", handler: writes([]string{"Content-Length: 9"}, "hello", "")},
	{name: "length that is no number", length: true, handler: writes([]string{"Content-Length: abc"}, "hello")},
	{name: "length that is negative", length: true, handler: writes([]string{"Content-Length: -1"}, "hello")},
	{name: "length zero", handler: writes([]string{"Content-Length: 0"})},
	{name: "Transfer-Encoding", handler: writes([]string{"Content-Type: a/b", "Transfer-Encoding: chunked"}, html)},

	{name: "204", handler: withStatus(204, nil)},
	{name: "204 with a body", handler: withStatus(204, nil, "hello")},
	{name: "204 with a type and a length",
		handler: withStatus(204, []string{"Content-Type: a/b", "Content-Length: 5"})},
	{name: "304", handler: withStatus(304, []string{"Etag: \"1\""}, "hello")},
	{name: "304 with a type", handler: withStatus(304, []string{"Content-Type: a/b"})},
	{name: "205", handler: withStatus(205, nil)},
	{name: "HEAD", method: "HEAD", handler: writes(nil)},
	{name: "HEAD of a short body", method: "HEAD", handler: writes(nil, "<html>")},
	{name: "HEAD of a long body", method: "HEAD", handler: writes(nil, html)},
	{name: "HEAD with a length", method: "HEAD", handler: writes([]string{"Content-Length: 500"})},
	{name: "HEAD with a length and a body", method: "HEAD", handler: writes([]string{"Content-Length: 5006"}, html)},
	{name: "HEAD, flushed", method: "HEAD", handler: writes(nil, "<html>", "")},

	{name: "trailers that are announced", handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
		writes([]string{"Trailer: X-One, X-Two"}, "hello")(w, r, n)
		w.Header().Set("X-One", "1")
		w.Header().Add("X-Two", "2")
		w.Header().Add("X-Two", "3")
		w.Header().Set("X-Three", "3")
	}},
	{name: "trailers of a long body", handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
		writes([]string{"Trailer: X-One"}, html, "")(w, r, n)
		w.Header().Set("X-One", "1")
	}},
	{name: "trailers that do not come", length: true, handler: writes([]string{"Trailer: X-One"}, "hello")},
	{name: "trailers that are not announced", handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
		writes(nil, html)(w, r, n)
		w.Header().Set(http.TrailerPrefix+"X-One", "1")
	}},
	{name: "trailers with the prefix, before the body",
		handler: writes([]string{http.TrailerPrefix + "X-One: 1"}, "hello")},

	{name: "WriteHeader twice", handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
		w.WriteHeader(201)
		w.WriteHeader(500)
		w.Header().Set("X-Late", "1")
		writes(nil, "hello")(w, r, n)
		w.WriteHeader(500)
	}},
	{name: "WriteHeader with what is no status", handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
		for _, status := range []int{0, 99, 1000, -1} {
			func() {
				defer func() { n.add("%d panics: %t", status, recover() != nil) }()
				w.WriteHeader(status)
			}()
		}
	}},
	{name: "WriteHeader with an odd status", handler: withStatus(299, nil, "odd")},
	{name: "Write of nothing", handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
		written, err := w.Write(nil)
		n.add("%d, %s", written, named(err))
		w.Header().Set("X-Late", "1")
	}},

	{name: "line breaks in a field", handler: writes([]string{"X-One: a\r\nX-Two: b\nc"}, "hello")},
	{name: "a name that is none", handler: writes([]string{"X One: a", "X-Two: b"}, "hello")},
	{name: "a name that is empty", handler: writes([]string{": a", "X-Two: b"}, "hello")},
	{name: "space around a value", handler: writes([]string{"X-One:   a\t "}, "hello")},
	{name: "fields with several values",
		handler: writes([]string{"Set-Cookie: a=1", "Set-Cookie: b=2", "x-lower: 1"}, "hello")},

	{method: "POST", name: "a panic", handler: panicsWith("oh", writes(nil)),
		differs: []difference{refused(500, internalError)}},
	{method: "POST", name: "a panic after a short body", handler: panicsWith("oh", writes(nil, "hello")),
		differs: []difference{refused(500, internalError)}},
	{method: "POST", name: "a panic after a flush", handler: panicsWith("oh", writes(nil, "hello", ""))},
	{method: "POST", name: "ErrAbortHandler", handler: panicsWith(http.ErrAbortHandler, writes(nil)),
		differs: []difference{refused(502, gaveUp)}},
	{method: "POST", name: "ErrAbortHandler after a short body",
		handler: panicsWith(http.ErrAbortHandler, writes(nil, "hello")), differs: []difference{refused(502, gaveUp)}},
	{method: "POST", name: "ErrAbortHandler after a flush",
		handler: panicsWith(http.ErrAbortHandler, writes(nil, "hello", ""))},
	{method: "POST", name: "ErrAbortHandler after a flush, with a length",
		handler: panicsWith(http.ErrAbortHandler, writes([]string{"Content-Length: 100"}, "hello", ""))},

	{name: "interfaces", handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
		_, flusher := w.(http.Flusher)
		_, readerFrom := w.(io.ReaderFrom)
		_, stringWriter := w.(io.StringWriter)
		_, closeNotifier := w.(interface{ CloseNotify() <-chan bool })
		n.add("Flusher %t, StringWriter %t, CloseNotifier %t, ReaderFrom %t", flusher, stringWriter,
			closeNotifier, readerFrom)
		_, hijacker := w.(http.Hijacker)
		_, pusher := w.(http.Pusher)
		n.add("Hijacker %t", hijacker)
		n.add("Pusher %t", pusher)
	}, differs: []difference{
		{nil, "the connection is the server's", func(want *outcome) { want.Noted[1] = "Hijacker false" }},
	}},
	{name: "ResponseController", handler: func(w http.ResponseWriter, _ *http.Request, n *notes) {
		c := http.NewResponseController(w)
		n.add("EnableFullDuplex: %s", named(c.EnableFullDuplex()))
		n.add("SetReadDeadline: %s", named(c.SetReadDeadline(time.Now().Add(time.Hour))))
		n.add("SetWriteDeadline: %s", named(c.SetWriteDeadline(time.Now().Add(time.Hour))))
		n.add("never: %s, %s", named(c.SetReadDeadline(time.Time{})), named(c.SetWriteDeadline(time.Time{})))
	}},
	{name: "a read deadline",
		method: "POST", body: func() io.Reader { return io.MultiReader(strings.NewReader("start"), new(silence)) },
		handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
			c := http.NewResponseController(w)
			_ = c.EnableFullDuplex()
			b := make([]byte, 5)
			_, err := io.ReadFull(r.Body, b)
			n.add("%s, %s", b, named(err))
			n.add("%s", named(c.SetReadDeadline(time.Now().Add(10*time.Millisecond))))
			_, err = r.Body.Read(b)
			n.add("%s", named(err))
			w.Header().Set("Connection", "close")
		}},

	{name: "file", handler: serveFile, request: func(r *http.Request) { r.Header.Set("Range", "bytes=2-5") }},
	{name: "file that is unchanged", handler: serveFile,
		request: func(r *http.Request) { r.Header.Set("If-None-Match", `"1"`) }},
	{name: "file of the size of many slots", handler: func(w http.ResponseWriter, r *http.Request, _ *notes) {
		http.ServeContent(w, r, "a.txt", time.Time{}, fileOf(strings.Repeat("0123456789", 100000)))
	}},
	{name: "redirect", request: func(r *http.Request) { r.Header.Set("X", "y") },
		handler: func(w http.ResponseWriter, r *http.Request, n *notes) {
			if r.URL.Query().Has("there") {
				writes(nil, "there")(w, r, n)
				return
			}
			http.Redirect(w, r, "?there&id="+r.URL.Query().Get("id")+"-2", http.StatusSeeOther)
		}},
	{name: "error", handler: func(w http.ResponseWriter, _ *http.Request, _ *notes) {
		http.Error(w, "no", http.StatusTeapot)
	}},
}

// silence is a body that does not go on before the other side has answered.
type silence struct{}

func (*silence) Read([]byte) (int, error) {
	time.Sleep(200 * time.Millisecond) // the deadline is long over; the end comes in any case
	return 0, io.EOF
}

func serveFile(w http.ResponseWriter, r *http.Request, _ *notes) {
	w.Header().Set("Etag", `"1"`)
	http.ServeContent(w, r, "a.txt", time.Time{}, bytes.NewReader([]byte("0123456789")))
}

// fileOf returns a file with a content, that is gone when it is closed.
func fileOf(content string) *os.File {
	f, err := os.CreateTemp("", "ur")
	if err != nil {
		panic(err)
	}
	_ = os.Remove(f.Name())
	if _, err := fmt.Fprint(f, content); err != nil {
		panic(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		panic(err)
	}
	return f
}
