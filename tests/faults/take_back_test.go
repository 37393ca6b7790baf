package faults_test

import (
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// takesBack are scripts of a worker that takes back its acceptance of a request, so
// that the server gives it to somebody again. What was in the request's first slot has
// been overwritten by its body when so many slots are released.
var takesBack = map[string]struct {
	released uint64
	then     func(*turn)
}{
	"takes back and dies":                  {0, (*turn).hangUp},
	"takes back and lets go":               {0, (*turn).dropStream},
	"releases, takes back and dies":        {2, (*turn).hangUp},
	"releases, takes back and lets go":     {2, (*turn).dropStream},
	"takes back, and the inbox entry too":  {2, func(t *turn) { t.word("taken").Add(^uint64(0)); t.hangUp() }},
	"releases, takes back and stays there": {2, func(t *turn) { t.say("back") }},
}

func init() {
	for name, act := range takesBack {
		scripts[slug(name)] = func(t *turn) {
			for n := uint64(1); n <= act.released; n++ {
				t.awaitRequest(n)
				t.reader.Release(n)
				t.say("piece")
			}
			t.awaitRequest(act.released + 1) // the server has looked what is released
			t.laneWord("stream_id").Store(0)
			act.then(t)
			t.awaitEviction()
		}
	}
}

// hangUp dies, as far as the server can see.
func (t *turn) hangUp() { _ = t.Conn.Close() }

// dropStream lets go of the stream, without an answer.
func (t *turn) dropStream() {
	t.end.Lane(t.lane).LetGo(t.id)
	t.end.Notify(t.lane)
}

func TestARequestWhoseWorkerTakesBackItsAcceptanceIsNotServedAgain(t *testing.T) {
	for name, act := range takesBack {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHostile(t, nil)
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(name), "Transfer-Encoding: chunked")
			for i := range int(act.released) {
				awaitSaid(t, h.scribbler, "piece", i+1)
				client.Chunk(strings.Repeat("x", 100)) // each a slot of its own
			}
			if strings.HasSuffix(name, "stays there") {
				awaitSaid(t, h.scribbler, "back", 1)
				client.Chunk("what makes the server look")
			}
			client.WantReply("POST", 502)
			if retried := h.Router.Stats().Retried; retried != 0 {
				t.Errorf("%d requests served again, want none", retried)
			}
		})
	}
}

func init() {
	scripts["bounce"] = func(t *turn) {
		t.say("bounced")
		t.laneWord("stream_id").Store(0)
		t.dropStream()
	}
}

func TestARequestThatIsNotTakenGoesRoundTheLanesOfALinkOnceAtMost(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("GET", "/bad/bounce")
	client.WantReply("GET", 502)
	harness.Eventually(t, "the stream to come back", func() bool { return h.Router.Stats().ActiveStreams == 0 })
	if n := strings.Count(h.scribbler.Output(), "<bounced>"); n != 1 {
		t.Errorf("the worker was given the request %d times", n)
	}
}
