package faults_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// vandal is a worker that knows the rules, keeps some of them for some of the time, and
// writes anything into any word of its segment. What it does is drawn by lot.
type vandal struct {
	*scribbler
	random  *rand.Rand
	mild    bool                 // it keeps to numbers that could be right
	odds    [kindsOfMischief]int // how often each kind comes, of the sum of all
	lanes   []vandalLane
	streams []uint64 // ids that it has ever seen
}

// vandalLane is what a vandal has made of a lane.
type vandalLane struct {
	turn  *turn // the last one in this lane; nil: never used
	slots uint64
}

// seedVariable names the environment variable with the seed of a vandal's lots.
const seedVariable = "FAULTS_SEED"

// vandalRole attaches to the pool of the honest workers, again and again.
func vandalRole() {
	seed, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	must(err)
	random := rand.New(rand.NewPCG(seed, 0))
	for {
		s, err := newScribbler(os.Getenv(harness.SocketVariable), "default")
		switch {
		case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
			return // the test is over
		case err != nil: // it attaches too often for the server's liking
			time.Sleep(10 * time.Millisecond)
			continue
		}
		v := &vandal{scribbler: s, random: random, mild: random.IntN(2) == 0, odds: moods[random.IntN(len(moods))]}
		for range s.end.Lanes() {
			v.lanes = append(v.lanes, vandalLane{})
		}
		v.rage()
		for _, f := range []*os.File{s.Request, s.Response, s.Bell} {
			_ = f.Close()
		}
		_ = s.Conn.Close()
		must(unix.Munmap(s.mine))
		must(unix.Munmap(s.theirs))
	}
}

// rage goes on until the server has thrown the vandal out, or it has had enough, and for a
// moment longer: it may still write what nobody should read any more.
func (v *vandal) rage() {
	life := time.Duration(1+v.random.IntN(1000)) * time.Millisecond
	for start := time.Now(); v.open() && time.Since(start) < life; {
		v.act()
		if v.random.IntN(4) > 0 {
			time.Sleep(time.Duration(v.random.IntN(200)) * time.Microsecond)
		}
	}
	for range v.random.IntN(200) {
		v.scribble()
	}
}

// mischief is a kind of what a vandal does.
type mischief int

const (
	takes mischief = iota
	answers
	releases
	letsGo
	retracts
	scribbles
	rings
	lies
	digs
	leaves
	kindsOfMischief
)

// moods are what vandals are like: one is thrown out at once, another one lasts.
var moods = [][kindsOfMischief]int{
	{takes: 200, answers: 120, releases: 60, letsGo: 60, retracts: 30, scribbles: 60, rings: 60, lies: 20,
		digs: 2, leaves: 2},
	{takes: 100, answers: 100, rings: 10},
	{takes: 100, answers: 10, letsGo: 60, retracts: 60, rings: 10},
	{takes: 100, releases: 60, retracts: 60, letsGo: 10, rings: 60},
	{takes: 100, answers: 60, releases: 30, letsGo: 30, retracts: 5, digs: 5},
	{takes: 20, rings: 400, answers: 4},
}

func (v *vandal) draw() (m mischief) {
	all := 0
	for _, n := range v.odds {
		all += n
	}
	for n := v.random.IntN(all); n >= v.odds[m]; m++ {
		n -= v.odds[m]
	}
	return m
}

func (v *vandal) act() {
	l := &v.lanes[v.random.IntN(len(v.lanes))]
	switch v.draw() {
	case takes:
		v.take()
	case answers:
		v.answer(l)
	case releases:
		v.put64(v.laneOf(l), "released", v.number())
	case letsGo:
		v.put64(v.laneOf(l), "let_go", v.anyID(l))
	case retracts:
		v.put64(v.laneOf(l), "stream_id", v.anyID(l))
	case scribbles:
		v.scribble()
	case rings:
		v.end.Notify(uint32(v.number()))
		v.ring()
	case lies:
		v.link([]string{"asleep", "taken", "outbox_head"}[v.random.IntN(3)])
	case digs:
		_ = unix.Fallocate(int(v.Response.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0,
			int64(len(v.mine)))
	case leaves:
		v.leave()
	}
}

// take takes what is next in the inbox, and accepts it, mostly.
func (v *vandal) take() {
	a, revoked, ok := v.end.Inbox.Take()
	if !ok {
		return
	}
	v.streams = append(v.streams, a.StreamID)
	if revoked && v.random.IntN(2) == 0 || v.random.IntN(8) == 0 || a.Lane >= v.end.Lanes() {
		v.end.Lane(a.Lane % v.end.Lanes()).LetGo(a.StreamID)
		return
	}
	l := &v.lanes[a.Lane]
	*l = vandalLane{turn: &turn{scribbler: v.scribbler, id: a.StreamID, lane: a.Lane}}
	v.put64(l, "published", 0)
	v.put64(l, "released", 0)
	v.end.Lane(a.Lane).Accept(a.StreamID)
}

// answer publishes a slot that is in order, or nearly so.
func (v *vandal) answer(l *vandalLane) {
	if l.turn == nil {
		return
	}
	g := v.responses.Geometry()
	n, kind, bytes := l.slots+1, shm.KindBody, []byte("vandal")
	switch {
	case n == 1:
		kind, bytes = shm.KindHeaders, l.turn.frame(200)
	case v.random.IntN(3) == 0:
		kind, bytes = shm.KindEnd, nil
	}
	buffer := v.random.Uint32N(g.Buffers)
	copy(v.mine[g.BuffersAt+uint64(buffer)*uint64(g.SlotSize):], bytes)
	l.turn.number(n).Store(n)
	for field, value := range map[string]uint32{
		"buffer": buffer, "offset": 0, "length": uint32(len(bytes)), "kind": uint32(kind),
	} {
		if v.random.IntN(60) == 0 {
			value = uint32(v.number())
		}
		l.turn.descriptor(n, field).Store(value)
	}
	l.slots = n
	v.put64(l, "published", n)
	v.end.Notify(l.turn.lane)
	if kind == shm.KindEnd && v.random.IntN(8) > 0 {
		v.put64(l, "let_go", l.turn.id)
		v.end.Notify(l.turn.lane)
	}
}

// laneOf returns l, or another lane if l was never used.
func (v *vandal) laneOf(l *vandalLane) *vandalLane {
	if l.turn == nil {
		l = &vandalLane{turn: &turn{scribbler: v.scribbler, lane: v.random.Uint32N(v.end.Lanes())}}
	}
	return l
}

func (v *vandal) put64(l *vandalLane, field string, value uint64) {
	l.turn.laneWord(field).Store(value)
}

// link writes one of the link's words.
func (v *vandal) link(field string) {
	word := v.word(field)
	word.Store([]uint64{0, word.Load() + 1, word.Load() - 1, v.number()}[v.random.IntN(4)])
}

// number draws a number: mostly a small one, as counts are.
func (v *vandal) number() uint64 {
	kind := v.random.IntN(8)
	if v.mild {
		kind = 3
	}
	switch kind {
	case 0:
		return v.random.Uint64()
	case 1:
		return ^uint64(0) - v.random.Uint64N(3)
	case 2:
		return 1 << v.random.UintN(64)
	}
	return v.random.Uint64N(6)
}

// anyID draws the id of a stream: the lane's, one of the past, or none.
func (v *vandal) anyID(l *vandalLane) uint64 {
	switch n := v.random.IntN(4); {
	case n == 0:
		return 0
	case n == 1 && len(v.streams) > 0:
		return v.streams[v.random.IntN(len(v.streams))] + v.random.Uint64N(2)
	case l.turn != nil:
		return l.turn.id
	}
	return v.number()
}

// scribble writes a number into any word in front of the buffers.
func (v *vandal) scribble() {
	at := v.random.Uint64N(v.responses.Geometry().BuffersAt/8) * 8
	handworker.Word64(v.mine, at).Store(v.number())
}

// leave says something on the control socket.
func (v *vandal) leave() {
	messages := []attach.Message{&attach.Drain{}, &attach.Bye{}, &attach.Hello{}}
	packet, err := attach.Encode(messages[v.random.IntN(len(messages))])
	must(err)
	if v.random.IntN(3) == 0 {
		packet = fmt.Append(nil, v.random.Uint64())
	}
	_, _ = v.Conn.Write(packet)
}
