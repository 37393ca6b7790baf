package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The file of the app: its bytes, and what tells it from others.
var (
	fileText    = text(100000)
	fileChanged = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
)

const fileTag = `"v1"`

// file answers as a server of files does, with ranges and conditions.
func file(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", fileTag)
	http.ServeContent(w, r, "file.txt", fileChanged, strings.NewReader(fileText))
}

func TestRangesAndConditionsAreTheWorkersThroughEachDoor(t *testing.T) {
	changed, before := fileChanged.Format(http.TimeFormat), fileChanged.Add(-time.Hour).Format(http.TimeFormat)
	throughEachDoor(t, nil, func(v *visitor) {
		for _, c := range []struct {
			fields string // NAME: VALUE, with | between them
			status int
			body   string
			length string
		}{
			{"", 200, fileText, "100000"},
			{"Range: bytes=10-19", 206, fileText[10:20], "10"},
			{"Range: bytes=99990-", 206, fileText[99990:], "10"},
			{"Range: bytes=-5", 206, fileText[99995:], "5"},
			{"Range: bytes=0-99999", 206, fileText, "100000"},
			{"Range: bytes=100000-", 416, "invalid range: failed to overlap\n", "33"},
			{"Range: lines=1-2", 416, "invalid range\n", "14"},
			{`If-None-Match: "v1"`, 304, "", ""},
			{`If-None-Match: "v0", W/"v1"`, 304, "", ""},
			{`If-None-Match: "v0"`, 200, fileText, "100000"},
			{"If-Modified-Since: " + changed, 304, "", ""},
			{"If-Modified-Since: " + before, 200, fileText, "100000"},
			{`If-Match: "v0"`, 412, "", ""},
			{"If-Unmodified-Since: " + before, 412, "", ""},
			{`If-Range: "v1"|Range: bytes=1-1`, 206, fileText[1:2], "1"},
			{`If-Range: "v0"|Range: bytes=1-1`, 200, fileText, "100000"},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				request := v.request(method, "/file", nil)
				for field := range strings.SplitSeq(c.fields, "|") {
					if name, value, ok := strings.Cut(field, ": "); ok {
						request.Header.Set(name, value)
					}
				}
				response := v.do(request)
				body, want := wantStatus(v, response, c.status), c.body
				if method == "HEAD" {
					want = ""
				}
				if length := response.Header.Get("Content-Length"); body != want || length != c.length && c.length != "" {
					v.Errorf("%s with %q: %d bytes, Content-Length %s", method, c.fields, len(body), length)
				}
				if tag := response.Header.Get("Etag"); tag != fileTag && c.status < 400 {
					v.Errorf("%s with %q: Etag %s", method, c.fields, tag)
				}
			}
		}
		request := v.request("GET", "/file", nil)
		request.Header.Set("Range", "bytes=0-3,8-11")
		response := v.do(request)
		if body := wantStatus(v, response, http.StatusPartialContent); !strings.Contains(body, "Content-Range: bytes 8-11/100000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n89ab\r\n") ||
			!strings.HasPrefix(response.Header.Get("Content-Type"), "multipart/byteranges; boundary=") {
			v.Errorf("two ranges: %v\n%s", response.Header, body)
		}
	})
}
