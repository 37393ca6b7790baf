package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// wantLast fails the test unless the last thing said of a request is this.
func wantLast(t *testing.T, story []string, want string) {
	t.Helper()
	if len(story) == 0 || story[len(story)-1] != want {
		t.Errorf("the story is %.2000q, want it to end with %q", story, want)
	}
}

// blocking is before a script whose calls wait, for drivers that otherwise wait for
// news of all requests at once.
var blocking = []string{"", "block; "}

var cancelCases = []conformanceCase{
	{promise: "a worker that reads learns that its client is gone", check: func(t *testing.T, r *rig) {
		for _, block := range blocking {
			c, id := r.upload(t, block+"respond 200; write 5; flush; read; end")
			wantNext(t, c.response("POST").Body, pattern[:5])
			c.chunk([]byte("some"))
			r.driver.await(t, id, "slot 2")
			harness.Check(t, c.Close())
			wantLast(t, r.driver.story(t, id), "read cancelled 1")
		}
	}},
	{promise: "a worker that writes learns that its client is gone", check: func(t *testing.T, r *rig) {
		for _, block := range blocking {
			for _, verb := range verbs {
				c, id := r.open(t, "GET", fmt.Sprintf("%srespond 200; %s 4000000000 100000; end", block, verb))
				wantNext(t, c.response("GET").Body, pattern[:100000])
				harness.Check(t, c.Close())
				wantLast(t, r.driver.story(t, id), verb+" cancelled 1")
			}
		}
	}},
	{promise: "a worker that neither reads nor writes learns that its client is gone",
		check: func(t *testing.T, r *rig) {
			for _, c := range []struct {
				method, script, before string
				fields                 []string
			}{
				{"GET", "await-cancel", "begin", nil},
				{"GET", "respond 200; write 5; flush; await-cancel", "flush ok", nil},
				{"POST", "await-cancel", "begin", []string{"Transfer-Encoding: chunked"}},
			} {
				connection, id := r.open(t, c.method, c.script, c.fields...)
				r.driver.await(t, id, c.before)
				harness.Check(t, connection.Close())
				wantLast(t, r.driver.story(t, id), "await-cancel cancelled 1")
			}
		}},
	{promise: "the link serves on after cancellations", check: func(t *testing.T, r *rig) {
		for range 20 {
			c, id := r.upload(t, "read; respond 200; end")
			c.chunk([]byte("some"))
			r.driver.await(t, id, "slot 2")
			harness.Check(t, c.Close())
			response, _ := r.ask(t, "GET", "respond 200; write 100; end", nil)
			wantPattern(t, response.Body, 100)
			wantLast(t, r.driver.story(t, id), "read cancelled 1")
		}
	}},
	{promise: "a worker without progress is told that its time is over",
		config: func(c *server.Config) { c.ResponseTimeout = 300 * time.Millisecond },
		check: func(t *testing.T, r *rig) {
			response, id := r.ask(t, "GET", "await-cancel", nil)
			wantStatus(t, response, 504)
			r.driver.wantStory(t, id, "await-cancel cancelled 2")
			response, id = r.ask(t, "GET", "respond 200; write 5; flush; await-cancel", nil)
			wantBroken(t, response)
			wantLast(t, r.driver.story(t, id), "await-cancel cancelled 2")
		}},
	{promise: "a worker is told that its client was too slow",
		config: func(c *server.Config) { c.ClientTimeout = 300 * time.Millisecond },
		check: func(t *testing.T, r *rig) {
			for _, block := range blocking {
				c, id := r.upload(t, block+"read; respond 200; end")
				wantStatus(t, c.response("POST"), 408)
				wantLast(t, r.driver.story(t, id), "read cancelled 5")
				_, id = r.open(t, "GET", block+"respond 200; write 4000000000; end")
				wantLast(t, r.driver.story(t, id), "write cancelled 5")
			}
		}},
	{promise: "a worker is told that the body is too large", config: func(c *server.Config) { c.BodyLimit = 100000 },
		check: func(t *testing.T, r *rig) {
			c, id := r.upload(t, "read; respond 200; end")
			c.chunk(content(1, 50000))
			r.driver.await(t, id, "slot 2") // it has the request, and not only its inbox
			c.chunk(content(2, 50000))
			c.chunk([]byte("x"))
			wantStatus(t, c.response("POST"), 413)
			wantLast(t, r.driver.story(t, id), "read cancelled 6")
		}},
	{promise: "an abort before the headers is a 502", check: func(t *testing.T, r *rig) {
		for _, script := range []string{"abort", "read; abort", "respond 200; write 5; abort"} {
			response, err := r.client.Do(first(r.request(t, "POST", script, strings.NewReader("body"))))
			begun := strings.Contains(script, "respond")
			switch {
			case begun && err != nil: // the connection ended before the headers were out
			case begun && response.StatusCode == 200:
				wantBroken(t, response)
			default: // an SDK may hold the headers back until there is a body to send
				harness.Check(t, err)
				wantStatus(t, response, 502)
				harness.ReadAll(t, response.Body)
			}
		}
	}},
	{promise: "a script that just stops is an abort", check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET", "tail 2", nil)
		wantStatus(t, response, 502)
		r.driver.wantStory(t, id, endLine(2), "tail ok")
	}},
	{promise: "a response that is aborted after its headers never looks complete", check: func(t *testing.T, r *rig) {
		for _, script := range []string{"respond 200; flush; abort", "respond 200; write 5; flush; abort",
			"respond 200; write 200000; abort", "field content-length 5; respond 200; write 5; flush; abort",
			"field content-length 9; respond 200; write 5; flush; abort"} {
			request, id := r.request(t, "POST", script, nil) // the library would send a GET again
			response, err := r.client.Do(request)
			r.driver.story(t, id)
			if strings.Contains(script, "content-length 5") {
				continue // complete by its length, and nobody can take it back
			}
			if err == nil {
				wantBroken(t, response)
			}
		}
	}},
}
