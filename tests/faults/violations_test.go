package faults_test

import (
	"math"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// outcome is what the client sees of a fault.
type outcome int

const (
	whole    outcome = iota // 200, and the body to its end
	refused                 // 502
	cutShort                // 200, and a response that breaks off
)

// scripts are what the scribbler can do with a request, by the last part of its
// path.
var scripts = map[string]func(*turn){"good": good}

func good(t *turn) {
	t.head(200, proto.Field{Name: "content-length", Value: "4"})
	t.text("good")
	t.finish()
}

// damages are what can be wrong with one descriptor.
var damages = map[string]func(t *turn, n uint64){
	"length past the buffer":        func(t *turn, n uint64) { t.descriptor(n, "length").Store(smallSlot + 1) },
	"length of all ones":            func(t *turn, n uint64) { t.descriptor(n, "length").Store(math.MaxUint32) },
	"length of zero":                func(t *turn, n uint64) { t.descriptor(n, "length").Store(0) },
	"offset at the buffer's end":    func(t *turn, n uint64) { t.descriptor(n, "offset").Store(smallSlot) },
	"offset and length together":    func(t *turn, n uint64) { t.place(n, smallSlot-64, 65) },
	"offset and length overflowing": func(t *turn, n uint64) { t.place(n, math.MaxUint32-63, 256) },
	"buffer that is one too far":    func(t *turn, n uint64) { t.descriptor(n, "buffer").Store(t.end.Buffers()) },
	"bytes in no buffer":            func(t *turn, n uint64) { t.descriptor(n, "buffer").Store(shm.NoBuffer) },
	"number of the next slot":       func(t *turn, n uint64) { t.number(n).Store(n + 1) },
	"number of zero":                func(t *turn, n uint64) { t.number(n).Store(0) },
	"number of a lap before": func(t *turn, n uint64) {
		t.number(n).Store(n - uint64(t.responses.Geometry().Ring))
	},
	"kind 0":               func(t *turn, n uint64) { t.descriptor(n, "kind").Store(0) },
	"kind 99":              func(t *turn, n uint64) { t.descriptor(n, "kind").Store(99) },
	"end that has bytes":   func(t *turn, n uint64) { t.descriptor(n, "kind").Store(uint32(shm.KindEnd)) },
	"abort that has bytes": func(t *turn, n uint64) { t.descriptor(n, "kind").Store(uint32(shm.KindAbort)) },
}

func (t *turn) place(n uint64, offset, length uint32) {
	t.descriptor(n, "offset").Store(offset)
	t.descriptor(n, "length").Store(length)
}

// violation is a script that breaks a rule, and what comes of it.
type violation struct {
	name   string
	script func(*turn)
	client outcome
}

var violations = append(damagedDescriptors(),
	violation{"body before the headers", func(t *turn) { t.text("body"); t.head(200); t.publish() }, refused},
	violation{"end before the headers", func(t *turn) { t.put(shm.KindEnd, nil); t.publish() }, refused},
	violation{
		"trailers before the headers", func(t *turn) { t.put(shm.KindTrailers, []byte{0}); t.publish() }, refused,
	}, violation{"headers twice", func(t *turn) { t.head(200); t.head(200); t.publish() }, cutShort},
	violation{"published jumps", func(t *turn) { t.head(200); t.claim(1 << 40) }, refused},
	violation{"published all ones", func(t *turn) { t.head(200); t.claim(math.MaxUint64) }, refused},
	violation{"published past what is written", func(t *turn) {
		t.head(200)
		t.number(2).Store(0) // else it may be the lane's last stream's
		t.claim(2)
	}, cutShort},
	violation{"published runs back", func(t *turn) {
		t.head(200)
		t.text("body")
		t.publish()
		t.awaitReleased(2)
		t.claim(1)
	}, cutShort},
	violation{"published runs back to zero", func(t *turn) {
		t.head(200)
		t.publish()
		t.awaitReleased(1)
		t.claim(0)
	}, cutShort},
	violation{"notice head runs back", func(t *turn) {
		t.word("outbox_head").Store(1 << 20) // the ring may overflow
		t.roundsOfWatcher()
		t.word("outbox_head").Store(1)
		t.ring()
	}, refused},
)

// claim says that so many response slots are published.
func (t *turn) claim(published uint64) {
	t.laneWord("published").Store(published)
	t.end.Notify(t.lane)
}

// damagedDescriptors damages the headers slot, and the body slot of a response
// whose headers are out.
func damagedDescriptors() (list []violation) {
	for name, damage := range damages {
		list = append(list,
			violation{"headers slot, " + name, func(t *turn) {
				t.head(200)
				damage(t, 1)
				t.publish()
			}, refused},
			violation{"body slot, " + name, func(t *turn) {
				t.head(200)
				t.publish()
				t.awaitReleased(1)
				t.text("body")
				damage(t, 2)
				t.publish()
			}, cutShort})
	}
	return list
}

func init() {
	for _, v := range violations {
		scripts[slug(v.name)] = func(t *turn) {
			v.script(t)
			t.awaitEviction()
		}
	}
}

// slug makes a path segment of a name.
func slug(name string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(name) }

func TestAWorkerThatBreaksARuleOfTheMemoryIsEvictedAndNobodyElseIsHurt(t *testing.T) {
	h := startHostile(t, nil)
	for _, v := range violations {
		t.Run(v.name, func(t *testing.T) {
			evicted, lost := h.Router.Stats().Evicted, h.Router.Stats().Lost
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(v.name), "Content-Length: 0")
			wantOutcome(client, v.client)
			wantGood(t, h.Server)
			h.wantEvicted(t, evicted, 1)
			if got := h.Router.Stats().Lost; got != lost {
				t.Errorf("the link also counts as lost")
			}
			h.wantScribblerGood(t)
		})
	}
}

func TestACountOfReleasedRequestSlotsOutOfBoundsEndsTheLink(t *testing.T) {
	h := startHostile(t, nil)
	for name, pieces := range map[string]int{"released jumps": 2, "released runs back": 4} {
		t.Run(name, func(t *testing.T) {
			evicted, said := h.Router.Stats().Evicted, strings.Count(h.scribbler.Output(), "<piece>")
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(name), "Transfer-Encoding: chunked")
			for i := range pieces {
				client.Chunk("piece")
				if i < pieces-1 { // the last one makes the server look
					awaitSaid(t, h.scribbler, "piece", said+i+1)
				}
			}
			client.WantReply("POST", 502)
			wantGood(t, h.Server)
			h.wantEvicted(t, evicted, 1)
			h.wantScribblerGood(t)
		})
	}
}

// The upload of a request whose worker was evicted has ended with it: a second worker
// would wait for the rest forever.
func TestAnUploadThatItsWorkerHasSpoiledIsNotServedAgain(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("PUT", "/bad/released-jumps", "Transfer-Encoding: chunked")
	client.Chunk(strings.Repeat("x", smallSlot/2+1)) // too long to be held back for a second worker
	awaitSaid(t, h.scribbler, "piece", 1)
	client.Chunk("what makes the server look")
	client.WantReply("PUT", 502)
	h.wantEvicted(t, 0, 1)
	if retried := h.Router.Stats().Retried; retried != 0 {
		t.Errorf("%d requests served again, want none", retried)
	}
	h.wantScribblerGood(t)
}

func init() {
	scripts["released-jumps"] = func(t *turn) {
		t.awaitRequest(2)
		t.laneWord("released").Store(1000)
		t.say("piece")
		t.awaitEviction()
	}
	scripts["released-runs-back"] = func(t *turn) {
		t.awaitRequest(2)
		t.laneWord("released").Store(2)
		t.say("piece")
		t.awaitRequest(3) // after it the server looks what is released, and reads on
		t.say("piece")
		t.awaitRequest(4)
		t.laneWord("released").Store(1)
		t.say("piece")
		t.awaitEviction()
	}
}

func TestACountOfTakenStreamsOutOfBoundsEndsTheLink(t *testing.T) {
	h := startHostile(t, nil)
	for _, name := range []string{"taken jumps", "taken runs back"} {
		t.Run(name, func(t *testing.T) {
			h.wantScribblerGood(t)
			evicted, said := h.Router.Stats().Evicted, strings.Count(h.scribbler.Output(), "<scribbled>")
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(name), "Content-Length: 0")
			awaitSaid(t, h.scribbler, "scribbled", said+1)
			h.wantScribblerGood(t) // the server looks before it assigns; then the next link serves it
			client.WantReply("POST", 502)
			h.wantEvicted(t, evicted, 1)
		})
	}
}

func init() {
	scripts["taken-jumps"] = func(t *turn) { t.takenIs(t.word("taken").Load() + 1) }
	scripts["taken-runs-back"] = func(t *turn) { t.takenIs(0) }
}

func (t *turn) takenIs(n uint64) {
	t.word("taken").Store(n)
	t.say("scribbled")
	t.awaitEviction()
}

func TestNoticesOfLanesThatAreNotThereAreIgnored(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("POST", "/bad/notices-of-no-lane", "Content-Length: 0")
	wantOutcome(client, whole)
	h.wantEvicted(t, 0, 0)
}

func init() {
	scripts["notices-of-no-lane"] = func(t *turn) {
		for _, lane := range []uint32{t.end.Lanes(), 4096, math.MaxUint32} {
			t.end.Notify(lane)
		}
		t.roundsOfWatcher()
		good(t)
	}
}
