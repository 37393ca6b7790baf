package ring

import (
	"errors"
	"os"
	"runtime/debug"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/shm"
)

// producer is the process that writes: the part of the server that concerns memory.
type producer struct {
	config  config
	segment *shm.RequestSegment
	pool    *shm.Pool
	links   []*link
	streams []*stream
	lastID  uint64
	memory  []byte // that copies pass through
}

// produce carries out tasks.
func produce(args []string) error {
	p := &producer{}
	if err := role.ParseArgument(args, &p.config); err != nil {
		return err
	}
	defer p.close()
	if err := p.open(); err != nil {
		return err
	}
	return serveTasks(p.carryOut)
}

func (p *producer) open() error {
	g, err := p.config.geometry()
	if err != nil {
		return err
	}
	id := shm.RequestIdentity{Layout: shm.LayoutMax, PID: uint32(os.Getpid()), Hash: shm.LayoutHash(), Instance: 1}
	if p.segment, err = shm.CreateRequestSegment(g, id); err != nil {
		return err
	}
	p.pool = shm.NewPool(g.Buffers)
	p.pool.Promise(streamGuarantee * p.config.Readers * p.config.Streams)
	for i := range p.config.Readers {
		l, err := openLink(p.segment, uint32(i), p.config)
		if err != nil {
			return err
		}
		p.links = append(p.links, l)
		for lane := range uint32(p.config.Streams) {
			row := uint32(len(p.streams))
			p.streams = append(p.streams, &stream{
				link: l, index: lane, lane: l.end.Lane(lane), position: l.end.Position(lane), row: p.segment.Row(row),
				writer: p.segment.NewWriter(row), slotSize: p.config.SlotSize, spin: p.config.Spin,
			})
		}
	}
	return nil
}

func (p *producer) close() {
	for _, l := range p.links {
		l.close()
	}
}

func (p *producer) carryOut(t task) (outcome, error) {
	debug.FreeOSMemory()
	switch {
	case t.Copy != "":
		return p.copy(t.Copy, t.Bytes)
	case t.Period > 0:
		return p.trips(t.Period)
	}
	return p.send(t.Bytes)
}

// send sends bytes over all streams at once, the same number over each.
func (p *producer) send(size int64) (o outcome, err error) {
	each := size / int64(len(p.streams))
	failed := make(chan error, len(p.streams))
	begun := time.Now()
	for _, s := range p.streams {
		p.lastID++
		go func(id uint64) { failed <- s.transfer(p.pool, id, each) }(p.lastID)
	}
	for range p.streams {
		err = errors.Join(err, <-failed)
	}
	o.Seconds = time.Since(begun).Seconds()
	for _, s := range p.streams {
		o.Slots += s.slots
	}
	return o, err
}

// transfer sends a body, and waits until the reader says what has arrived.
func (s *stream) transfer(pool *shm.Pool, id uint64, size int64) error {
	if err := s.open(pool, id, modeCount); err != nil {
		return err
	}
	err := s.send(size)
	if err == nil {
		err = s.checkAnswer(size)
	}
	return errors.Join(err, s.close())
}

// trips makes round trips over the first stream.
func (p *producer) trips(period time.Duration) (o outcome, err error) {
	s := p.streams[0]
	p.lastID++
	if err := s.open(p.pool, p.lastID, modeEcho); err != nil {
		return o, err
	}
	if _, err := s.receive(); err != nil { // the headers
		return o, err
	}
	trips, err := load.RoundTrips(period, s.bounce)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return o, err
	}
	o.Trips = *trips
	return o, s.close()
}

// copy copies payload, a slot at a time, into one slot of memory, or through as much
// memory as the slots have.
func (p *producer) copy(how string, size int64) (o outcome, err error) {
	if p.memory == nil {
		p.memory = make([]byte, segmentBytes)
	}
	memory := p.memory
	if how == copyCached {
		memory = memory[:slotBytes]
	}
	begun := time.Now()
	for left, at, from := size, 0, 0; left > 0; left -= slotBytes {
		copy(memory[at:at+slotBytes], load.Payload[from:from+slotBytes])
		at, from = (at+slotBytes)%len(memory), (from+slotBytes)%len(load.Payload)
	}
	o.Seconds = time.Since(begun).Seconds()
	return o, nil
}
