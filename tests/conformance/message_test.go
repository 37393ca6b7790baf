package conformance_test

import (
	"fmt"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

var messageCases = []conformanceCase{
	{promise: "any method goes with a body and without", check: func(t *testing.T, r *rig) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-OWN"} {
			for _, body := range []string{"", "some body"} {
				response, id := r.ask(t, method, "head; read; respond 200; write 4; end", strings.NewReader(body))
				wantStatus(t, response, 200)
				wantPattern(t, response.Body, 4)
				story := r.driver.story(t, id)
				if want := fmt.Sprintf("head method %x", method); !has(story, want) {
					t.Errorf("%q is not in %q", want, story)
				}
				for len(story) > 0 && !strings.HasPrefix(story[0], "slot ") {
					story = story[1:]
				}
				wantRest(t, wantBody(t, story, []byte(body)), "read ok", "respond ok", "write ok", "end ok")
			}
		}
	}},
	{promise: "a body where none may be is taken and not sent", check: func(t *testing.T, r *rig) {
		for _, c := range []struct {
			method string
			status int
		}{{"HEAD", 200}, {"HEAD", 404}, {"GET", 204}, {"GET", 304}, {"POST", 204}} {
			for _, flush := range []string{"", "flush; "} {
				response, id := r.ask(t, c.method, fmt.Sprintf("respond %d; %swrite 100000; end", c.status, flush), nil)
				wantStatus(t, response, c.status)
				if body := harness.ReadAll(t, response.Body); len(body) != 0 || response.ContentLength > 0 {
					t.Errorf("%s %d: %d bytes, length %d", c.method, c.status, len(body), response.ContentLength)
				}
				wantLast(t, r.driver.story(t, id), "end ok")
			}
		}
	}},
	{promise: "what a client says of ranges and conditions, and what the worker answers, passes as it is",
		check: func(t *testing.T, r *rig) {
			request, id := r.request(t, "GET",
				"head; field content-range bytes%205-9/100; field etag %22v1%22; field accept-ranges bytes; "+
					"field last-modified Thu,%2029%20Feb%202024%2012:00:00%20GMT; "+
					"field content-length 5; respond 206; write 5; end", nil)
			asked := map[string]string{
				"Range": "bytes=5-9", "If-Range": `"v1"`, "If-None-Match": `"v2", W/"v3"`, "If-Match": "*",
				"If-Modified-Since":   "Thu, 29 Feb 2024 12:00:00 GMT",
				"If-Unmodified-Since": "Thu, 29 Feb 2024 12:00:00 GMT", "Accept-Encoding": "gzip;q=0.5, *;q=0",
			}
			for name, value := range asked {
				request.Header.Set(name, value)
			}
			response, err := r.client.Do(request)
			harness.Check(t, err)
			wantStatus(t, response, 206)
			wantPattern(t, response.Body, 5)
			for name, want := range map[string]string{
				"Content-Range": "bytes 5-9/100", "Etag": `"v1"`, "Accept-Ranges": "bytes",
				"Last-Modified": "Thu, 29 Feb 2024 12:00:00 GMT", "Content-Length": "5",
			} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			story := r.driver.story(t, id)
			for name, value := range asked {
				if want := fmt.Sprintf("header %s %x", strings.ToLower(name), value); !has(story, want) {
					t.Errorf("%q is not in %q", want, story)
				}
			}
		}},
	{promise: "a client that waits for 100 Continue gets it when the worker reads, and not before",
		check: func(t *testing.T, r *rig) {
			for script, want := range map[string]bool{
				"read; respond 200; write 5; end":           true,
				"respond 409; write 5; end":                 false,
				"respond 409; write 5; flush; write 0; end": false,
			} {
				request, id := r.request(t, "POST", script, strings.NewReader("12345"))
				request.Header.Set("Expect", "100-continue")
				var told atomic.Bool
				trace := &httptrace.ClientTrace{Got100Continue: func() { told.Store(true) }}
				response, err := r.client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
				harness.Check(t, err)
				wantPattern(t, response.Body, 5)
				wantLast(t, r.driver.story(t, id), "end ok")
				if told.Load() != want {
					t.Errorf("%s: told to continue: %v", script, told.Load())
				}
			}
		}},
}
