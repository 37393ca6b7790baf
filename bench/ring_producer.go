package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/shm"
)

// ringProducer is the process that writes: it does of the server what concerns the
// memory.
type ringProducer struct {
	shape   ringShape
	segment *shm.RequestSegment
	pool    *shm.Pool
	links   []*ringLink
	streams []*ringStream
	lastID  uint64
	memory  []byte // to copy through
}

// producerRole carries out ring orders.
func producerRole(args []string) error {
	p := &ringProducer{}
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &p.shape) != nil {
		return fmt.Errorf("not a shape: %q", args)
	}
	defer p.close()
	if err := p.open(); err != nil {
		return err
	}
	return answerOrders(p.carryOut)
}

// answerOrders says that we are ready, and carries out the orders that come in.
func answerOrders(carryOut func(ringOrder) (ringResult, error)) error {
	if err := announce(ringResult{}); err != nil {
		return err
	}
	for orders := json.NewDecoder(os.Stdin); ; {
		var order ringOrder
		if err := orders.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result, err := carryOut(order)
		if err != nil {
			result.Error = err.Error()
		}
		if err := announce(result); err != nil {
			return err
		}
	}
}

func (p *ringProducer) open() error {
	g, err := p.shape.geometry()
	if err != nil {
		return err
	}
	id := shm.RequestIdentity{Layout: shm.LayoutMax, PID: uint32(os.Getpid()), Hash: shm.LayoutHash(), Instance: 1}
	if p.segment, err = shm.CreateRequestSegment(g, id); err != nil {
		return err
	}
	p.pool = shm.NewPool(g.Buffers)
	p.pool.Promise(streamGuarantee * p.shape.Readers * p.shape.Streams)
	for i := range p.shape.Readers {
		l, err := openRingLink(p.segment, uint32(i), p.shape)
		if err != nil {
			return err
		}
		p.links = append(p.links, l)
		for lane := range uint32(p.shape.Streams) {
			row := uint32(len(p.streams))
			p.streams = append(p.streams, &ringStream{
				link: l, index: lane, lane: l.end.Lane(lane), place: l.end.Position(lane), row: p.segment.Row(row),
				writer: p.segment.NewWriter(row), slotSize: p.shape.SlotSize, spin: p.shape.Spin,
			})
		}
	}
	return nil
}

func (p *ringProducer) close() {
	for _, l := range p.links {
		l.close()
	}
}

func (p *ringProducer) carryOut(order ringOrder) (ringResult, error) {
	debug.FreeOSMemory()
	switch {
	case order.Copy != "":
		return p.copy(order.Copy, order.Bytes)
	case order.Period > 0:
		return p.trips(order.Period)
	}
	return p.send(order.Bytes)
}

// send sends bytes over all streams at once, the same number over each.
func (p *ringProducer) send(size int64) (result ringResult, err error) {
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
	result.Seconds = time.Since(begun).Seconds()
	for _, s := range p.streams {
		result.Slots += s.slots
	}
	return result, err
}

// transfer sends a body, and waits for the reader to say what has come.
func (s *ringStream) transfer(pool *shm.Pool, id uint64, size int64) error {
	if err := s.open(pool, id, ringCount); err != nil {
		return err
	}
	err := s.send(size)
	if err == nil {
		err = s.checkAnswer(size)
	}
	return errors.Join(err, s.close())
}

// trips makes round trips over the first stream.
func (p *ringProducer) trips(period time.Duration) (result ringResult, err error) {
	s := p.streams[0]
	p.lastID++
	if err := s.open(p.pool, p.lastID, ringEcho); err != nil {
		return result, err
	}
	if _, err := s.receive(); err != nil { // the headers
		return result, err
	}
	trips, err := load.Trips(period, s.bounce)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return result, err
	}
	result.Trips = *trips
	return result, s.close()
}

// copy copies payload, a slot at a time, into a slot of memory, or through as much
// memory as the slots have.
func (p *ringProducer) copy(how string, size int64) (result ringResult, err error) {
	if p.memory == nil {
		p.memory = make([]byte, ringBytes)
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
	result.Seconds = time.Since(begun).Seconds()
	return result, nil
}
