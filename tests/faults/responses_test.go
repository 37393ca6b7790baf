package faults_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// statusAt is where the status stands in a response headers frame: after the
// magic, version, type, stream id, kind and HTTP version.
const statusAt = 4 + 1 + 1 + 8 + 1 + 1

// badFrames are headers slots that no client may see anything of. They break no
// rule of the memory, so the link stays.
var badFrames = map[string]func(t *turn) []byte{
	"CR in a value":       withByte("x-a", "v*v", '\r'),
	"LF in a value":       withByte("x-a", "v*v", '\n'),
	"NUL in a value":      withByte("x-a", "v*v", 0),
	"CR in a name":        withByte("x*a", "v", '\r'),
	"LF in a name":        withByte("x*a", "v", '\n'),
	"NUL in a name":       withByte("x*a", "v", 0),
	"space in a name":     withByte("x*a", "v", ' '),
	"colon in a name":     withByte("x*a", "v", ':'),
	"status 0":            withStatus(0),
	"status 99":           withStatus(99),
	"status 100":          withStatus(100),
	"status 101":          withStatus(101),
	"status 199":          withStatus(199),
	"status 1000":         withStatus(1000),
	"status 65535":        withStatus(65535),
	"two lengths":         withLengths("5", "6"),
	"length of no number": withLengths("five"),
	"length below zero":   withLengths("-5"),
	"length with a sign":  withLengths("+5"),
	"length in a list":    withLengths("5, 5"),
	"length past 63 bits": withLengths("9223372036854775808"),
	"trailing byte":       func(t *turn) []byte { return append(t.frame(200), 0) },
	"two frames":          func(t *turn) []byte { return append(t.frame(200), t.frame(200)...) },
	"frame cut off": func(t *turn) []byte {
		return t.frame(200,
			proto.Field{Name: "x-a", Value: "v"})[:statusAt+4]
	},
	"garbage":               func(*turn) []byte { return bytes.Repeat([]byte{0xa5}, 100) },
	"one byte":              func(*turn) []byte { return []byte("H") },
	"another stream's":      anothersFrame,
	"request frame":         requestFrame,
	"more fields than sent": func(t *turn) []byte { f := t.frame(200); f[len(f)-1] = 9; return f },
}

func withByte(name, value string, b byte) func(*turn) []byte {
	return func(t *turn) []byte {
		return bytes.Replace(t.frame(200, proto.Field{Name: name, Value: value}), []byte("*"), []byte{b}, 1)
	}
}

func withStatus(status uint16) func(*turn) []byte {
	return func(t *turn) []byte {
		frame := t.frame(200)
		binary.BigEndian.PutUint16(frame[statusAt:], status)
		return frame
	}
}

func withLengths(list ...string) func(*turn) []byte {
	return func(t *turn) []byte {
		var fields []proto.Field
		for _, length := range list {
			fields = append(fields, proto.Field{Name: "content-length", Value: length})
		}
		return t.frame(200, fields...)
	}
}

func anothersFrame(*turn) []byte {
	frame, err := proto.AppendResponse(nil, &proto.Response{StreamID: 1, Version: proto.HTTP11, Status: 200})
	must(err)
	return frame
}

func requestFrame(t *turn) []byte {
	frame, err := proto.AppendRequest(nil, &t.request)
	must(err)
	return frame
}

func init() {
	for name, frame := range badFrames {
		scripts[slug(name)] = func(t *turn) {
			t.put(shm.KindHeaders, frame(t))
			t.text("12345")
			t.finish()
		}
	}
}

func init() {
	for _, status := range []uint16{99, 100, 101, 200, 1000} {
		scripts[fmt.Sprint("interim-", status)] = func(t *turn) {
			t.put(shm.KindInterim, withStatus(status)(t))
			t.put(shm.KindHeaders, t.frame(200))
			t.finish()
		}
	}
}

func TestInterimResponsesHaveAStatusOfTheirOwn(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	for _, status := range []uint16{99, 100, 101, 200, 1000} {
		client.Begin("GET", fmt.Sprint("/bad/interim-", status))
		client.WantReply("GET", 502)
	}
	client.Begin("GET", "/bad/good")
	client.WantReply("GET", 200)
}

func TestHeadersThatAreNotAValidResponseAreNeverSent(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	for name := range badFrames {
		t.Run(name, func(t *testing.T) {
			client.T = t
			client.Begin("GET", "/bad/"+slug(name))
			client.WantReply("GET", 502)
			client.Begin("GET", "/bad/good")
			client.WantReply("GET", 200)
		})
	}
	h.wantEvicted(t, 0, 0)
}

func TestMemoryThatAWorkerGivesBackUnderTheServerReadsAsZeros(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("POST", "/bad/hole-in-the-buffers", "Content-Length: 0")
	wantOutcome(client, refused)
	h.wantScribblerGood(t)
	h.wantEvicted(t, 0, 0)
}

func init() {
	scripts["hole-in-the-buffers"] = func(t *turn) {
		t.head(200)
		must(unix.Madvise(t.mine[t.responses.Geometry().BuffersAt:], unix.MADV_REMOVE)) // the kernel allows it
		t.finish()
	}
}

func TestAResponseThatIsNotAsLongAsItSaysIsBrokenOff(t *testing.T) {
	for name, want := range map[string]string{
		"shorter than its length": "12345", "longer than its length": "", "longer by a slot": "12345",
		"empty with a length": "", "trailers that are none": "12345", "abort after a slot": "12345",
		"gone without an end": "12345",
	} {
		t.Run(name, func(t *testing.T) {
			h := startHostile(t, nil)
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(name), "Content-Length: 0")
			if name == "longer by a slot" { // what came is as long as it says, and nothing follows
				if r := client.WantReply("POST", 200); r.Body != want {
					t.Errorf("the body is %q", r.Body)
				}
			} else if body := client.WantBrokenReply("POST", 200); body != want && body != "" {
				t.Errorf("the body is %q, want at most %q", body, want)
			}
			client.WantEnd()
			if aborted := h.Router.Stats().Aborted; aborted != 1 {
				t.Errorf("%d exchanges aborted, want 1", aborted)
			}
			h.wantEvicted(t, 0, 0)
			h.wantScribblerGood(t)
		})
	}
}

func init() {
	answer := func(length string, texts ...string) func(*turn) {
		return func(t *turn) {
			t.head(200, proto.Field{Name: "content-length", Value: length})
			for i, text := range texts {
				t.text(text)
				t.publish()
				t.awaitReleased(uint64(i + 1)) // the slot before it: this one may end the exchange
			}
			t.finish()
		}
	}
	scripts["shorter-than-its-length"] = answer("6", "12345")
	scripts["longer-than-its-length"] = answer("4", "12345")
	scripts["longer-by-a-slot"] = answer("5", "12345", "6")
	scripts["empty-with-a-length"] = answer("1")
	scripts["trailers-that-are-none"] = func(t *turn) {
		t.head(200)
		t.text("12345")
		t.put(shm.KindTrailers, []byte("\xff\xff\xff"))
		t.finish()
	}
	scripts["abort-after-a-slot"] = func(t *turn) {
		t.head(200)
		t.text("12345")
		t.put(shm.KindAbort, nil)
		t.finish()
	}
	scripts["gone-without-an-end"] = func(t *turn) {
		t.head(200)
		t.text("12345")
		t.publish()
		t.end.Lane(t.lane).LetGo(t.id)
		t.end.Notify(t.lane)
		t.until("the server to be done", func() bool { return t.released() == shm.AllReleased })
		t.writer.Close()
	}
}

func TestABodyThatMayNotBeIsReadAndNotSent(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	for _, c := range []struct {
		method, script string
		status         int
	}{{"HEAD", "good", 200}, {"GET", "body-with-204", 204}, {"GET", "body-with-304", 304},
		{"POST", "body-with-204", 204}, {"HEAD", "long-body", 200}} {
		client.Begin(c.method, "/bad/"+c.script, "Content-Length: 0")
		if r := client.WantReply(c.method, c.status); r.Body != "" {
			t.Errorf("%s %s: the body is %q", c.method, c.script, r.Body)
		}
		client.Begin("GET", "/echo") // the bytes that were not sent are not in the way of the next response
		client.WantReply("GET", 200)
	}
	if failed := h.Router.Stats().Failed; failed != 0 {
		t.Errorf("%d exchanges failed", failed)
	}
}

func init() {
	answer := func(status uint16, slots int) func(*turn) {
		return func(t *turn) {
			t.head(status)
			for range slots {
				t.text("a body that may not be")
			}
			t.finish()
		}
	}
	scripts["body-with-204"] = answer(204, 1)
	scripts["body-with-304"] = answer(304, 1)
	scripts["long-body"] = answer(200, 400)
}

func TestASecondAnswerIsDroppedAndCounted(t *testing.T) {
	h := startHostile(t, nil)
	client := rawclient.Dial(t, h.Server.Addr)
	for i, name := range []string{"second-answer-at-once", "second-answer-after-the-end"} {
		client.Begin("POST", "/bad/"+name, "Content-Length: 0")
		wantOutcome(client, whole)
		awaitSaid(t, h.scribbler, "answered twice", i+1)
		client.Begin("POST", "/bad/good", "Content-Length: 0")
		wantOutcome(client, whole)
	}
	h.wantEvicted(t, 0, 0)
	if st := h.Router.Stats(); st.StaleNotices < 3 || st.Failed != 0 {
		t.Errorf("%d stale notices, want some; %d exchanges failed, want none", st.StaleNotices, st.Failed)
	}
}

func init() {
	twice := func(t *turn) {
		for _, text := range []string{"good", "evil"} {
			t.head(200, proto.Field{Name: "content-length", Value: "4"})
			t.text(text)
			t.put(shm.KindEnd, nil)
		}
	}
	scripts["second-answer-at-once"] = func(t *turn) {
		twice(t)
		t.publish()
		t.letGo()
		t.say("answered twice")
	}
	scripts["second-answer-after-the-end"] = func(t *turn) {
		twice(t)
		t.claim(3)
		t.until("the server to be done", func() bool { return t.released() == shm.AllReleased })
		t.end.Lane(t.lane).LetGo(t.id)
		t.end.Notify(t.lane)
		for range 5 {
			t.claim(6)
			t.roundsOfWatcher()
		}
		t.writer.Close()
		t.say("answered twice")
	}
}

func TestAnAnswerForAStreamOfThePastIsDropped(t *testing.T) {
	h := startHostile(t, func(c *server.Config) { c.ResponseTimeout = 500 * time.Millisecond })
	h.wantScribblerGood(t)
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("POST", "/bad/answer-of-the-past", "Content-Length: 0")
	client.WantReply("POST", 504)
	if timeouts := h.Router.Stats().WorkerTimeouts; timeouts != 1 {
		t.Errorf("%d timeouts counted, want 1", timeouts)
	}
	h.wantEvicted(t, 0, 0)
	h.wantScribblerGood(t)
	harness.Eventually(t, "the stream to come back", func() bool { return h.Router.Stats().ActiveStreams == 0 })
}

func init() {
	scripts["answer-of-the-past"] = func(t *turn) {
		t.head(200, proto.Field{Name: "content-length", Value: "4"})
		t.text("evil")
		t.put(shm.KindEnd, nil)
		t.laneWord("stream_id").Store(t.id - 1)
		t.publish()
		t.letGo() // when the time is up
	}
}
