package compress

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// fieldsOf makes the fields of lines, NAME: VALUE with | between them.
func fieldsOf(lines string) http.Header {
	fields := http.Header{}
	for line := range strings.SplitSeq(lines, "|") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			fields.Add(name, value)
		}
	}
	return fields
}

// compressing returns compressors that are on.
func compressing(minimum int64) *Compressors { return New(true, minimum) }

func TestOnlyWhatMayAndShouldBeIsCompressed(t *testing.T) {
	html := "Content-Type: text/html; charset=utf-8"
	for _, c := range []struct {
		fields     string
		status     int
		length     int64
		compressed bool
		varies     bool // for every request
	}{
		{html, 200, -1, true, true},
		{html, 404, 100, true, true},
		{html, 200, 99, false, false},
		{html, 206, 1000, false, true},
		{html + "|Content-Range: bytes 0-9/100", 206, 10, false, true},
		{html + "|Content-Range: bytes 0-9/99", 206, 10, false, false},
		{html + "|Content-Range: bytes 0-9/*", 206, 10, false, true},
		{html + "|Content-Range: bytes 0-9/100|Content-Encoding: br", 206, 10, false, false},
		{html + "|Content-Range: bytes 0-9/100|Cache-Control: no-transform", 206, 10, false, false},
		{"Content-Type: image/png|Content-Range: bytes 0-9/100", 206, 10, false, false},
		{"Content-Range: bytes */1000|Content-Type: text/plain", 416, 10, false, true},
		{html + "|Etag: \"a\"", 304, -1, false, true},
		{html, 304, 100, false, true},
		{html, 304, 99, false, false},
		{"", 304, -1, false, true},
		{"Content-Type: image/png", 304, -1, false, false},
		{"Content-Encoding: br", 304, -1, false, false},
		{"Cache-Control: no-transform", 304, -1, false, false},
		{"Content-Type: APPLICATION/JSON ; x=y", 200, 1000, true, true},
		{"Content-Type: application/problem+json", 400, 1000, true, true},
		{"Content-Type: image/svg+xml", 200, 1000, true, true},
		{"Content-Type: text/event-stream", 200, -1, true, true},
		{"Content-Type: application/octet-stream", 200, 1000, false, false},
		{"Content-Type: image/png", 200, 1000, false, false},
		{"Content-Type: video/mp4", 200, 1000, false, false},
		{"Content-Type: multipart/byteranges; boundary=x", 206, 1000, false, true},
		{"", 200, 1000, false, false},
		{html + "|Content-Encoding: br", 200, 1000, false, false},
		{html + "|Content-Encoding: identity", 200, 1000, false, false},
		{html + "|Content-Range: bytes 0-1/2", 200, 1000, false, false},
		{html + "|Content-Digest: sha-256=:AA==:", 200, 1000, false, false},
		{html + "|Cache-Control: public, No-Transform", 200, 1000, false, false},
	} {
		for _, asks := range []string{
			"Accept-Encoding: gzip", "Accept-Encoding: br", "Accept-Encoding: gzip|Cache-Control: no-transform",
		} {
			w := httptest.NewRecorder()
			fields := fieldsOf(c.fields)
			for name, values := range fields {
				w.Header()[name] = values
			}
			request := httptest.NewRequest("GET", "/", nil)
			request.Header = fieldsOf(asks)
			all := compressing(100)
			got := all.Begin(w, request, &header.ResponseHead{Status: c.status, ContentLength: c.length,
				BodyAllowed: true})
			want := c.compressed && asks == "Accept-Encoding: gzip"
			if (got != nil) != want || (w.Header().Get("Content-Encoding") == "gzip") != want {
				t.Errorf("%d with %q to %q: compressed %v, want %v", c.status, c.fields, asks, got != nil, want)
			}
			if varies := w.Header().Get("Vary") == "Accept-Encoding"; varies != c.varies {
				t.Errorf("%d with %q to %q: varies %v, want %v", c.status, c.fields, asks, varies, c.varies)
			}
			got.Release()
			if n := all.taken.Load(); n != 0 {
				t.Errorf("%d encoders are not given back", n)
			}
		}
	}
}

func TestFieldsOfACompressedResponseAreTrue(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{`Etag: "a"|Content-Length: 5000|Accept-Ranges: bytes`,
			`Etag: W/"a"|Content-Encoding: gzip|Vary: Accept-Encoding`},
		{`Etag: W/"a"|Vary: Origin`, `Etag: W/"a"|Content-Encoding: gzip|Vary: Origin|Vary: Accept-Encoding`},
		{`Vary: *`, `Content-Encoding: gzip|Vary: *`},
		{`Vary: origin, accept-encoding`, `Content-Encoding: gzip|Vary: origin, accept-encoding`},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := httptest.NewRecorder()
			for name, values := range fieldsOf(c.before + "|Content-Type: text/css") {
				w.Header()[name] = values
			}
			request := httptest.NewRequest(method, "/", nil)
			request.Header.Set("Accept-Encoding", "gzip")
			head := header.ResponseHead{Status: 200, ContentLength: -1, BodyAllowed: method == "GET"}
			got := compressing(1).Begin(w, request, &head)
			if (got != nil) != (method == "GET") {
				t.Errorf("%s: compressed %v", method, got != nil)
			}
			if want := fieldsOf(c.after + "|Content-Type: text/css"); !reflect.DeepEqual(w.Header(), want) {
				t.Errorf("%s: %v became %v, want %v", method, c.before, w.Header(), want)
			}
		}
	}
}

func TestA304HasTheTagThatWasAskedAbout(t *testing.T) {
	for _, c := range []struct{ tag, asked, want string }{
		{`"a"`, `W/"a"`, `W/"a"`}, {`"a"`, `"b", W/"a"`, `W/"a"`}, {`"a"`, `"a"`, `"a"`}, {`"a"`, `"a", W/"a"`, `"a"`},
		{`W/"a"`, `W/"a"`, `W/"a"`}, {`"a"`, `*`, `"a"`}, {``, `W/"a"`, ``},
		{`"v,1"`, `W/"v,1"`, `W/"v,1"`}, {`"v,1"`, `"v,1"`, `"v,1"`}, {`"v,1"`, `W/"a" ,, W/"v,1"`, `W/"v,1"`},
		{`"v,1"`, `"x, W/"v,1"`, `"v,1"`}, {`"1"`, `"v,W/"1"`, `"1"`}, {`"1"`, `W/"v, W/"1"`, `"1"`},
		{`"a"`, `"b"|W/"a"`, `W/"a"`}, {`"a"`, `W/"a"|"a"`, `"a"`}, {`"a"`, `w/"a"`, `"a"`},
		{`"a"`, `W/"a\", W/"a"`, `W/"a"`}, {`"a"`, `"`, `"a"`}, {`"a"`, `a, W/"a"`, `W/"a"`}, {`"A"`, `W/"a"`, `"A"`},
	} {
		w := httptest.NewRecorder()
		if c.tag != "" {
			w.Header().Set("Etag", c.tag)
		}
		request := httptest.NewRequest("GET", "/", nil)
		request.Header["If-None-Match"] = strings.Split(c.asked, "|")
		compressing(1).Begin(w, request, &header.ResponseHead{Status: 304, ContentLength: -1})
		if got := w.Header().Get("Etag"); got != c.want {
			t.Errorf("%s, asked about %s, becomes %s, want %s", c.tag, c.asked, got, c.want)
		}
	}
}

func TestA304ToWhomNoTagMattersHasTheTagOfItsResponse(t *testing.T) {
	for fields, want := range map[string]string{
		"Accept-Encoding: gzip": `W/"a"`, "Accept-Encoding: gzip|If-None-Match: *": `W/"a"`,
		"Accept-Encoding: br": `"a"`, "": `"a"`,
		"Accept-Encoding: gzip|Cache-Control: no-transform": `"a"`, `Accept-Encoding: gzip|If-None-Match: "a"`: `"a"`,
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Type", "text/css")
		request := httptest.NewRequest("GET", "/", nil)
		request.Header = fieldsOf(fields)
		compressing(1).Begin(w, request, &header.ResponseHead{Status: 304, ContentLength: -1})
		if got := w.Header().Get("Etag"); got != want {
			t.Errorf("with %s the tag is %s, want %s", fields, got, want)
		}
	}
}

func TestARangeOnConditionOfAWeakTagIsTheWhole(t *testing.T) {
	for condition, spared := range map[string]bool{`W/"a"`: true, `"a"`: false,
		"Sat, 28 Nov 2026 05:00:00 GMT": false} {
		for _, on := range []bool{false, true} {
			fields := http.Header{"Range": {"bytes=1-"}, "If-Range": {condition}}
			(&Compressors{on: on}).DropWeakRange(fields)
			if got := len(fields) == 0; got != (spared && on) {
				t.Errorf("compressing %v, on condition of %s: %v", on, condition, fields)
			}
		}
	}
}

func TestSoManyResponsesAreCompressedAtOnceAndNoMore(t *testing.T) {
	all := compressing(1)
	open := func() *Compressor {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "text/plain")
		request := httptest.NewRequest("GET", "/", nil)
		request.Header.Set("Accept-Encoding", "zstd")
		c := all.Begin(w, request, &header.ResponseHead{Status: 200, ContentLength: -1, BodyAllowed: true})
		if (w.Header().Get("Content-Encoding") != "") != (c != nil) || w.Header().Get("Vary") == "" {
			t.Errorf("fields %v", w.Header())
		}
		return c
	}
	var list []*Compressor
	for range maxEncoders {
		list = append(list, open())
	}
	if list[maxEncoders-1] == nil || open() != nil {
		t.Error("the bound is not kept")
	}
	for _, c := range list {
		c.Release()
		c.Release() // once is enough
	}
	if c := open(); c == nil {
		t.Error("encoders are not given back")
	}
}
