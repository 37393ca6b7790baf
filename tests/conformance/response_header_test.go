package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// bigSlots is for headers of which thousands have to fit.
func bigSlots(c *server.Config) {
	c.SlotSize, c.HeaderLimit, c.FieldLimit = 64<<10, 64<<10, proto.MaxFields
}

// frameBytes is what a response's headers frame has besides a single field with a
// name of 5 bytes and a value of 128 to 16383: its fixed part, the count, the name
// and the two lengths.
const frameBytes = 18 + 1 + 1 + 5 + 2

var responseHeaderCases = []conformanceCase{
	{promise: "status and fields arrive as they were given", check: func(t *testing.T, r *rig) {
		for _, status := range []int{200, 201, 299, 404, 599, 999} {
			response, _ := r.ask(t, "GET", fmt.Sprintf("field X-UPPER one; field x-empty; field x-twice 1; "+
				"field X-Twice 2; field x-bytes %%80a%%09%%ff; field x-sp %%20in%%20; respond %d; end", status), nil)
			wantStatus(t, response, status)
			h := response.Header
			if h.Get("X-Upper") != "one" || h["X-Empty"][0] != "" || strings.Join(h["X-Twice"], " ") != "1 2" ||
				h.Get("X-Bytes") != "\x80a\t\xff" || h.Get("X-Sp") != "in" {
				t.Errorf("headers %q", h)
			}
		}
	}},
	{promise: "headers that fill a slot to the last byte are sent", check: func(t *testing.T, r *rig) {
		const most = slotSize - frameBytes
		response, id := r.ask(t, "GET", fmt.Sprintf("fields 1 5 %d; respond 200; write 3; end", most), nil)
		wantPattern(t, response.Body, 3)
		if got := len(response.Header.Get("Nnnnn")); got != most {
			t.Errorf("%d bytes of the field came, want %d", got, most)
		}
		r.driver.wantStory(t, id, "fields ok", "respond ok", "write ok", "end ok")
	}},
	{promise: "headers that do not fit one slot are an error, and the request goes on", plainly: true,
		check: func(t *testing.T, r *rig) {
			response, id := r.ask(t,
				"GET", fmt.Sprintf("fields 1 5 %d; respond 200; fields 3 6 10000; respond 200; respond 500; end",
					slotSize-frameBytes+1), nil)
			wantStatus(t, response, 500)
			r.driver.wantStory(t, id, "fields ok", "respond too-large", "fields ok", "respond too-large",
				"respond ok", "end ok")
			response, id = r.ask(t, "GET", "fields 1 5 100000; respond 200", nil) // and then gives up
			wantStatus(t, response, 502)
			r.driver.wantStory(t, id, "fields ok", "respond too-large")
		}},
	{promise: "as many fields can be sent as a frame can have", config: bigSlots, plainly: true,
		check: func(t *testing.T, r *rig) {
			response, id := r.ask(t, "GET",
				fmt.Sprintf("fields %d 1 1; respond 200; fields %d 1 1; respond 200; end", maxFields+1, maxFields), nil)
			if got := len(response.Header["N"]); got != maxFields {
				t.Errorf("%d fields came", got)
			}
			r.driver.wantStory(t, id, "fields ok", "respond refused", "fields ok", "respond ok", "end ok")
		}},
	{promise: "names and values with forbidden bytes are refused, and the request goes on", plainly: true,
		check: func(t *testing.T, r *rig) {
			bad := []string{
				"x a%0db", "x a%0ab", "x a%0d%0ab:c", "x a%00b", "x %01", "x a%7f", "x a%1fb", "a%20b v", "a:b v",
				"a%0d%0ab v", "a%00 v", "a%c3%a9 v", "a%22 v", "%28a%29 v",
			}
			for _, field := range bad {
				response, id := r.ask(t, "GET", fmt.Sprintf("field good 1; field %s; respond 200; write 1; "+
					"field good 1; respond 200; field %[1]s; trailers; end", field), nil)
				wantStatus(t, response, 200)
				if body := harness.ReadAll(t, response.Body); len(body) != 0 || len(response.Trailer) != 0 {
					t.Errorf("field %q: body %q, trailers %q", field, body, response.Trailer)
				}
				r.driver.wantStory(t, id, "field ok", "field ok", "respond refused", "write refused", "field ok",
					"respond ok", "field ok", "trailers refused", "end ok")
			}
		}},
	{promise: "a name has at least one byte", plainly: true, check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET", "fields 1 0 5; respond 200; respond 200; end", nil)
		wantStatus(t, response, 200)
		r.driver.wantStory(t, id, "fields ok", "respond refused", "respond ok", "end ok")
	}},
	{promise: "a status that no worker may send is refused", plainly: true, check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET", "respond 0; respond 99; respond 100; respond 101; respond 199; "+
			"respond 1000; respond 65736; respond 204; end", nil)
		wantStatus(t, response, 204)
		no := "respond refused"
		r.driver.wantStory(t, id, no, no, no, no, no, no, no, "respond ok", "end ok")
	}},
	{promise: "what the server refuses is an error for the client and a reason for the worker",
		check: func(t *testing.T, r *rig) {
			for _, field := range []string{
				"content-length x", "content-length -1", "content-length 1;field content-length 2",
			} {
				response, id := r.ask(t, "GET", "field "+field+"; respond 200; flush; await-cancel", nil)
				wantStatus(t, response, 502)
				story := r.driver.story(t, id)
				if last := story[len(story)-1]; !strings.HasSuffix(last, "cancelled 3") {
					t.Errorf("%s: the worker is told %q", field, last)
				}
			}
		}},
}
