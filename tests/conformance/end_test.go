package conformance_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

var endCases = []conformanceCase{
	{promise: "a body, trailers or an end before the headers are refused", plainly: true,
		check: func(t *testing.T, r *rig) {
			response, id := r.ask(t, "GET", "write 1; fill 1; end; field a b; trailers; respond 201; write 3; end", nil)
			wantStatus(t, response, 201)
			wantPattern(t, response.Body, 3)
			no := " refused"
			r.driver.wantStory(t, id, "write"+no, "fill"+no, "end"+no, "field ok", "trailers"+no, "respond ok",
				"write ok", "end ok")
		}},
	{promise: "headers are refused the second time", plainly: true, check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET", "respond 201; respond 500; flush; respond 501; write 3; respond 502; end", nil)
		wantStatus(t, response, 201)
		wantPattern(t, response.Body, 3)
		no := "respond refused"
		r.driver.wantStory(t, id, "respond ok", no, "flush ok", no, "write ok", no, "end ok")
	}},
	{promise: "nothing can be done with a request that has ended", plainly: true, check: func(t *testing.T, r *rig) {
		for _, end := range []string{"end", "trailers"} {
			response, id := r.ask(t, "GET", "respond 200; write 3; field a b; "+end+"; write 1; fill 1; flush; "+
				"respond 200; tail 1; look 2; field a b; trailers; end", nil)
			wantPattern(t, response.Body, 3)
			r.driver.wantStory(t, id, "respond ok", "write ok", "field ok", end+" ok",
				"write ended", "fill ended", "flush ended", "respond ended", "tail ended", "look ended", "field ok",
				"trailers ended", "end ended")
		}
	}},
	{promise: "nothing can be done with a request that was aborted", plainly: true, check: func(t *testing.T, r *rig) {
		response, id := r.ask(t, "GET", "abort; respond 200; flush; tail 1; end", nil)
		wantStatus(t, response, 502)
		harness.ReadAll(t, response.Body)
		r.driver.wantStory(t, id, "abort ok", "respond ended", "flush ended", "tail ended", "end ended")
	}},
}
