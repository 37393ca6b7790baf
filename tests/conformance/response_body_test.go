package conformance_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// verbs are the two ways to write a body.
var verbs = []string{"write", "fill"}

var responseBodyCases = []conformanceCase{
	{promise: "a response of any size arrives whole", check: func(t *testing.T, r *rig) {
		for _, size := range []int{0, 1, slotSize - 1, slotSize, slotSize + 1, 40*slotSize + 7} {
			for _, verb := range verbs {
				response, id := r.ask(t, "GET", fmt.Sprintf("respond 200; %s %d; end", verb, size), nil)
				wantStatus(t, response, 200)
				wantPattern(t, response.Body, size)
				r.driver.wantStory(t, id, "respond ok", verb+" ok", "end ok")
			}
		}
	}},
	{promise: "a body may be written in pieces of any size", plainly: true, check: func(t *testing.T, r *rig) {
		for _, p := range []struct{ size, piece int }{
			{5000, 1}, {100000, 7}, {1 << 20, 4096}, {1 << 20, slotSize}, {1 << 20, slotSize + 1}, {3 << 20, 3<<20 - 1},
		} {
			for _, verb := range verbs {
				response, _ := r.ask(t, "GET", fmt.Sprintf("respond 200; %s %d %d; end", verb, p.size, p.piece), nil)
				wantPattern(t, response.Body, p.size)
			}
		}
	}},
	{promise: "the two ways to write can be mixed", plainly: true, check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET",
			"respond 200; write 10; fill 20000 77; write 50000; flush; fill 1; write 5; end", nil)
		wantPattern(t, response.Body, 70016)
		r.driver.wantStory(t, id, "respond ok", "write ok", "fill ok", "write ok", "flush ok", "fill ok",
			"write ok", "end ok")
	}},
	{promise: "nothing is added by writing nothing", check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET",
			"respond 200; write 0; fill 0; flush; write 4; write 0; flush; flush; fill 0; write 0; end", nil)
		wantPattern(t, response.Body, 4)
		r.driver.wantStory(t, id, "respond ok", "write ok", "fill ok", "flush ok", "write ok", "write ok", "flush ok",
			"flush ok", "fill ok", "write ok", "end ok")
	}},
	{promise: "a flush shows the client what there is, at once", check: func(t *testing.T, r *rig) {
		for _, verb := range verbs {
			c, id := r.upload(t,
				fmt.Sprintf("respond 200; flush; read 1; %[1]s 5; flush; read 1; %[1]s 6; flush; read; end", verb))
			response := c.response("POST") // the headers alone
			c.chunk([]byte("go"))
			wantNext(t, response.Body, pattern[:5])
			c.chunk([]byte("on"))
			wantNext(t, response.Body, pattern[5:11])
			c.finish()
			if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
				t.Errorf("%q came after the flushes", rest)
			}
			r.driver.story(t, id)
		}
	}},
	{promise: "the response ends when the worker ends it, however late", check: func(t *testing.T, r *rig) {
		c, id := r.upload(t, "respond 200; write 5; flush; read; end")
		response := c.response("POST")
		wantNext(t, response.Body, pattern[:5])
		other, _ := r.ask(t, "GET", "respond 200; end", nil) // the link is not held up
		harness.ReadAll(t, other.Body)
		c.finish()
		if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
			t.Errorf("%q came after the body", rest)
		}
		r.driver.wantStory(t, id, "respond ok", "write ok", "flush ok", endLine(2), "read ok", "end ok")
	}},
	{promise: "trailers come after the body", check: func(t *testing.T, r *rig) {
		for _, size := range []int{0, 5, slotSize, 3*slotSize + 1} {
			script := fmt.Sprintf("respond 200; write %d; field X-Sum one; "+
				"field x-sum tw%%c3%%b6; field x-empty; trailers", size)
			response, id := r.ask(t, "GET", script, nil)
			wantPattern(t, response.Body, size)
			if got := response.Trailer; len(got["X-Sum"]) != 2 || got["X-Sum"][1] != "tw\xc3\xb6" ||
				got["X-Empty"][0] != "" {
				t.Errorf("trailers %q", got)
			}
			r.driver.wantStory(t, id, "respond ok", "write ok", "field ok", "field ok", "field ok", "trailers ok")
		}
	}},
	{promise: "a body where none may be is taken and not sent, and the connection goes on", plainly: true,
		check: func(t *testing.T, r *rig) {
			for _, c := range []struct {
				method string
				status int
			}{{"HEAD", 200}, {"GET", 204}, {"GET", 304}} {
				connection := r.dial(t)
				for range 2 { // the connection goes on
					id := r.id()
					connection.begin(c.method, "/", "X-Id: "+id,
						fmt.Sprintf("X-Script: respond %d; write 100000; end", c.status))
					response := connection.response(c.method)
					wantStatus(t, response, c.status)
					if body := harness.ReadAll(t, response.Body); len(body) != 0 {
						t.Errorf("%s %d: %d bytes", c.method, c.status, len(body))
					}
					r.driver.wantStory(t, id, "respond ok", "write ok", "end ok")
				}
			}
		}},
	{promise: "HEAD tells the length that GET would have", check: func(t *testing.T, r *rig) {
		response, _ := r.ask(t, "HEAD", "field content-length 12345; respond 200; end", nil)
		if response.ContentLength != 12345 {
			t.Errorf("length %d", response.ContentLength)
		}
	}},
	{promise: "a content-length that differs from the bytes never looks complete", check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET", "field content-length 5; respond 200; write 5; end", nil)
		wantPattern(t, response.Body, 5)
		r.driver.wantStory(t, id, "field ok", "respond ok", "write ok", "end ok")
		for _, size := range []int{4, 6} {
			response, err := r.client.Do(first(r.request(t, "GET",
				fmt.Sprintf("field content-length 5; respond 200; flush; write %d; end", size), nil)))
			if err == nil {
				wantBroken(t, response)
			}
		}
	}},
	{promise: "a client that reads slowly slows its own worker only",
		config: func(c *server.Config) { c.LinkMemory = 1 << 20 }, env: []string{lanesVariable + "=4"},
		check: func(t *testing.T, r *rig) {
			const size = 24 << 20
			c, id := r.open(t, "GET", fmt.Sprintf("respond 200; write %d; end", size))
			response := c.response("GET")
			for range 5 { // others are served meanwhile
				other, _ := r.ask(t, "GET", "respond 200; write 50000; end", nil)
				wantPattern(t, other.Body, 50000)
			}
			wantPattern(t, response.Body, size)
			r.driver.wantStory(t, id, "respond ok", "write ok", "end ok")
		}},
}

func first(request *http.Request, _ string) *http.Request { return request }
