package faults_test

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// The value that a torn response has when it is sound. Its words are what the
// scribbler overwrites; each of the words that it writes instead would end the
// line, and begin another.
const (
	soundValue = "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffff"
	evilWord   = "\r\nAB:1\r\n"
)

// tornHeaders is how many header lines a sound response has: the four of the
// frame, the date, and the id of the request.
const tornHeaders = 6

// tornRequests is how many responses the scribbler changes while the server reads
// them.
const tornRequests = 2000

func TestHeadersThatChangeWhileTheServerChecksThemAreSentAsCheckedOrNotAtAll(t *testing.T) {
	h := startHostile(t, nil)
	counts := map[int]int{}
	client := rawclient.Dial(t, h.Server.Addr)
	for i := range tornRequests {
		name := []string{"torn-value", "torn-frame"}[i%2]
		client.Begin("GET", "/bad/"+name)
		r, err := client.Receive("GET") // to the letter: an injected line is an error
		if err != nil {
			t.Fatalf("request %d, %s: %+v: %v", i, name, r, err)
		}
		counts[r.Status]++
		switch {
		case r.Status == 502:
		case r.Status != 200 || r.Body != "sound" || r.Header["x-value"] != soundValue || len(r.Header) != tornHeaders:
			t.Fatalf("request %d, %s: %+v", i, name, r)
		}
	}
	if counts[200] == 0 || counts[502] == 0 {
		t.Errorf("responses by status: %v; the scribbler was never, or always, in time", counts)
	}
	h.wantEvicted(t, 0, 0)
}

func init() {
	// Each word of the value, between sound and evil.
	scripts["torn-value"] = func(t *turn) {
		sound, at := t.tornFrame()
		evil := bytes.Clone(sound)
		for i := at; i < at+len(soundValue); i += 8 {
			copy(evil[i:], evilWord)
		}
		t.tear(sound, evil)
	}
	// The status, and the lengths of the value and of its name.
	scripts["torn-frame"] = func(t *turn) {
		sound, at := t.tornFrame()
		evil := bytes.Clone(sound)
		binary.BigEndian.PutUint16(evil[statusAt:], 1000)
		evil[at-1] = 8
		t.tear(sound, evil)
	}
}

// tornFrame returns a sound frame whose value begins on a word, and where.
func (t *turn) tornFrame() (frame []byte, at int) {
	for pad := "p"; ; pad += "p" {
		frame = t.frame(200, proto.Field{Name: "content-type", Value: "text/plain"}, proto.Field{
			Name: "content-length", Value: "5",
		},
			proto.Field{Name: "x-pad", Value: pad}, proto.Field{Name: "x-value", Value: soundValue})
		if at = bytes.Index(frame, []byte(soundValue)); at%8 == 0 {
			return frame, at
		}
	}
}

// tear answers with a headers slot whose words change all the time, from those of
// sound to those of evil and back, until the server is done.
func (t *turn) tear(sound, evil []byte) {
	t.put(shm.KindHeaders, sound)
	t.text("sound")
	t.put(shm.KindEnd, nil)

	var stop atomic.Bool
	var scribbling sync.WaitGroup
	scribbling.Go(func() {
		slot := t.slotBytes(1)
		for !stop.Load() {
			scribble(slot, evil, sound)
			scribble(slot, sound, evil)
		}
	})
	t.publish()
	t.letGo()
	stop.Store(true)
	scribbling.Wait()
}

// scribble writes the words in which a frame differs from another.
func scribble(slot, frame, other []byte) {
	for i := 0; i+8 <= len(frame); i += 8 {
		if w := binary.NativeEndian.Uint64(frame[i:]); w != binary.NativeEndian.Uint64(other[i:]) {
			handworker.Word64(slot, uint64(i)).Store(w)
		}
	}
}

// slotBytes returns the bytes of response slot n.
func (t *turn) slotBytes(n uint64) []byte {
	g := t.responses.Geometry()
	at := g.BuffersAt + uint64(t.descriptor(n, "buffer").Load())*smallSlot + uint64(t.descriptor(n, "offset").Load())
	return t.mine[at : at+uint64(t.descriptor(n, "length").Load())]
}
