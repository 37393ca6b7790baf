package conformance_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

var earlyCases = []conformanceCase{
	{promise: "a response may come before the upload ends, which is read on", check: func(t *testing.T, r *rig) {
		body := content(5, 10*slotSize)
		c, id := r.upload(t, "respond 200; write 5; flush; read; write 5; end")
		response := c.response("POST")
		wantNext(t, response.Body, pattern[:5])
		c.chunk(body)
		c.finish()
		wantNext(t, response.Body, pattern[5:10])
		if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
			t.Errorf("%q came after the body", rest)
		}
		wantRest(t, wantBody(t, r.driver.story(t, id)[3:], body), "read ok", "write ok", "end ok")
	}},
	{promise: "a response to an upload that is not read arrives whole", check: func(t *testing.T, r *rig) {
		for _, script := range []string{
			"respond 413; write 5; end", "respond 413; write 5; flush; end", "read 1; respond 413; write 5; end",
		} {
			response, id := r.ask(t, "POST", script, unsized(bytes.NewReader(content(5, 3*slotSize))))
			wantStatus(t, response, 413)
			wantPattern(t, response.Body, 5)
			if story := r.driver.story(t, id); story[len(story)-1] != "end ok" {
				t.Errorf("the story is %q", story)
			}
		}
	}},
	{promise: "an upload that goes on after the response is over is no other request", plainly: true,
		check: func(t *testing.T, r *rig) {
			c, id := r.dialRaw(t, "POST", "read 1; respond 200; write 5; end", "Content-Length: 100000000")
			c.Send(strings.Repeat("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 100))
			response := c.response("POST")
			wantNext(t, response.Body, pattern[:5])
			if story := r.driver.story(t, id); story[len(story)-1] != "end ok" {
				t.Errorf("the story is %q", story)
			}
			if lines, _ := r.driver.said.of(""); len(lines) != 0 { // a request without X-Id
				t.Errorf("the driver was asked for %q", lines)
			}
		}},
}
