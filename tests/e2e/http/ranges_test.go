package http_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestRangesAndConditionsAreTheWorkersThroughEachDoor(t *testing.T) {
	t.Parallel()
	changed, before := e2etest.FileChanged.Format(http.TimeFormat),
		e2etest.FileChanged.Add(-time.Hour).Format(http.TimeFormat)
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, c := range []struct {
			fields string // NAME: VALUE, with | between them
			status int
			body   string
			length string
		}{
			{"", 200, e2etest.FileText, "100000"},
			{"Range: bytes=10-19", 206, e2etest.FileText[10:20], "10"},
			{"Range: bytes=99990-", 206, e2etest.FileText[99990:], "10"},
			{"Range: bytes=-5", 206, e2etest.FileText[99995:], "5"},
			{"Range: bytes=0-99999", 206, e2etest.FileText, "100000"},
			{"Range: bytes=100000-", 416, "invalid range: failed to overlap\n", "33"},
			{"Range: lines=1-2", 416, "invalid range\n", "14"},
			{`If-None-Match: "v1"`, 304, "", ""},
			{`If-None-Match: "v0", W/"v1"`, 304, "", ""},
			{`If-None-Match: "v0"`, 200, e2etest.FileText, "100000"},
			{"If-Modified-Since: " + changed, 304, "", ""},
			{"If-Modified-Since: " + before, 200, e2etest.FileText, "100000"},
			{`If-Match: "v0"`, 412, "", ""},
			{"If-Unmodified-Since: " + before, 412, "", ""},
			{`If-Range: "v1"|Range: bytes=1-1`, 206, e2etest.FileText[1:2], "1"},
			{`If-Range: "v0"|Range: bytes=1-1`, 200, e2etest.FileText, "100000"},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				request := v.Request(method, "/file", nil)
				for field := range strings.SplitSeq(c.fields, "|") {
					if name, value, ok := strings.Cut(field, ": "); ok {
						request.Header.Set(name, value)
					}
				}
				response := v.Do(request)
				body, want := e2etest.WantStatus(v, response, c.status), c.body
				if method == "HEAD" {
					want = ""
				}
				length := response.Header.Get("Content-Length")
				if body != want || length != c.length && c.length != "" {
					v.Errorf("%s with %q: %d bytes, Content-Length %s", method, c.fields, len(body), length)
				}
				if tag := response.Header.Get("Etag"); tag != e2etest.FileTag && c.status < 400 {
					v.Errorf("%s with %q: Etag %s", method, c.fields, tag)
				}
			}
		}
		request := v.Request("GET", "/file", nil)
		request.Header.Set("Range", "bytes=0-3,8-11")
		response := v.Do(request)
		const part = "Content-Range: bytes 8-11/100000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n89ab\r\n"
		if body := e2etest.WantStatus(v, response, http.StatusPartialContent); !strings.Contains(body, part) ||
			!strings.HasPrefix(response.Header.Get("Content-Type"), "multipart/byteranges; boundary=") {
			v.Errorf("two ranges: %v\n%s", response.Header, body)
		}
	})
}
