package conformance_test

import (
	"bytes"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

var releaseCases = []conformanceCase{
	{promise: "a slot has the same bytes until it is released, and is an error after",
		check: func(t *testing.T, r *rig) {
			script := "keep 3; tail 2; tail 4; tail 3; tail 2; release 2; tail 2; look 2; tail 1; tail 3; release 1; " +
				"tail 3; release 4; tail 4; look 5; read; tail 5; respond 200; end"
			c, id := r.upload(t, script)
			var bodies [3][]byte
			var lines [6]string
			for i := range bodies {
				bodies[i] = content(uint64(i), 400*i+10) // a packet at most, and so one slot
				lines[i+2] = slotLine(i+2, "body", bodies[i])
				c.chunk(bodies[i])
				r.driver.await(t, id, lines[i+2])
			}
			r.driver.await(t, id, "look nothing")
			c.finish()
			wantStatus(t, c.response("POST"), 200)
			var want []string
			tail := func(numbers ...int) {
				for _, n := range numbers {
					want = append(want, lines[n], "tail ok")
				}
			}
			want = append(want, lines[2], lines[3], lines[4], "keep ok")
			tail(2, 4, 3, 2)
			want = append(want, "release ok", "tail released", "look released", "tail released")
			tail(3)
			want = append(want, "release ok")
			tail(3)
			want = append(want, "release ok", "tail released", "look nothing", endLine(5), "read ok", "tail released",
				"respond ok", "end ok")
			r.driver.wantStory(t, id, want...)
		}},
	{promise: "an upload that is not released is held back, in bounded memory, and goes on after the release",
		config: func(c *server.Config) { c.SlotsPerStream = 64 },
		check: func(t *testing.T, r *rig) {
			// With the headers, as many slots as may be out.
			body := content(9, 12<<20)
			request, id := r.request(t,
				"POST", "keep 63; look 65; hold look; look 65; release 10; keep 9; hold read; read; respond 200; end",
				unsized(bytes.NewReader(body)))
			sent := make(chan error, 1)
			go func() {
				response, err := r.client.Do(request)
				if err == nil {
					err = response.Body.Close()
				}
				sent <- err
			}()
			for i, gate := range []string{"look", "read"} {
				r.driver.awaitNth(t, id, "keep ok", i+1)
				if st := r.server.Router.Stats(); st.TotalBuffers-st.FreeBuffers > 66 {
					t.Errorf("%d buffers are in use", st.TotalBuffers-st.FreeBuffers)
				}
				select {
				case err := <-sent:
					t.Fatalf("the client has sent 12 MiB into 64 slots: %v", err)
				default:
				}
				response, _ := r.ask(t, "GET", "let "+gate+"; respond 200; end", nil) // others are served
				wantStatus(t, response, 200)
			}
			harness.Check(t, harness.Receive(t, "the upload to end", sent))
			story := r.driver.story(t, id)
			if got := countPrefix(story, "look nothing"); got != 2 {
				t.Errorf("slot 65 was there before its time: looked in vain %d times, not 2", got)
			}
			story = withoutLines(story, "keep ok", "hold ok", "release ok", "look nothing")
			wantRest(t, wantBody(t, story, body), "read ok", "respond ok", "end ok")
		}},
}

func withoutLines(lines []string, drop ...string) (kept []string) {
	for _, line := range lines {
		if !has(drop, line) {
			kept = append(kept, line)
		}
	}
	return kept
}
