package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
)

// testStream is one exchange.
type testStream struct {
	id                uint64
	request, response uint64 // bytes of the bodies
	revoke            bool   // try to take it back
}

// exchange is the server's part in one stream.
type exchange struct {
	*loopServer
	testStream
	news   laneNews
	index  uint32
	lane   *Lane
	place  *Position
	row    *Row
	writer *Writer
	reader Reader
	random *rand.Rand // the receiver's
	pumps  *rand.Rand // the pump's
}

// open waits until the pool can promise a buffer.
func (x *exchange) open(ctx context.Context) error {
	w := x.pool.NewWaiter()
	defer w.Stop()
	for {
		x.pool.Await(w)
		if x.writer.Open(x.pool, 1) {
			return nil
		}
		if err := wait(ctx, w.C, "a guarantee"); err != nil {
			return err
		}
	}
}

func (x *exchange) count(untaken bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case untaken:
		x.outcomes.gotBack++
	case x.passedOver():
		x.outcomes.passedOver++
	default:
		x.outcomes.served++
	}
}

func (x *exchange) putHeaders() error {
	space, err := x.writer.Reserve(headersBytes)
	if err != nil {
		return err
	}
	copy(space, appendSizes(x.request, x.response))
	x.writer.Commit(headersBytes, KindHeaders)
	x.writer.Publish()
	return nil
}

// offer assigns the stream, and reports whether it has it back untaken.
func (x *exchange) offer(a Assignment) (untaken bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	room, _, err := x.end.Inbox.Room()
	if err != nil {
		return false, err
	}
	if !room {
		return false, errors.New("the inbox is full although a lane is free")
	}
	entry := x.end.Inbox.Append(a)
	x.end.Offered()
	if x.revoke {
		return x.end.Inbox.Revoke(entry)
	}
	return false, nil
}

// passedOver reports whether the worker let go of the stream without serving it.
func (x *exchange) passedOver() bool { return x.lane.HasLetGo(x.id) && !x.lane.Accepted(x.id) }

// transfer moves both bodies.
func (x *exchange) transfer(ctx context.Context) error {
	pumped := make(chan error, 1)
	go func() { pumped <- x.pump(ctx) }()
	err := x.receive(ctx)
	return errors.Join(err, <-pumped)
}

// pump writes the request body in slots of random size.
func (x *exchange) pump(ctx context.Context) error {
	for sent := uint64(0); sent < x.request; {
		least := int(min(x.request-sent, 1+x.pumps.Uint64N(uint64(x.slotSize))))
		space, err := x.reserve(ctx, least)
		if err != nil || space == nil {
			return err
		}
		n := int(min(x.request-sent, uint64(least)+x.pumps.Uint64N(uint64(len(space)-least)+1)))
		pattern(x.id).fill(space[:n], sent)
		x.writer.Commit(n, KindBody)
		sent += uint64(n)
		if x.pumps.IntN(3) == 0 {
			x.publish()
		}
	}
	for {
		err := x.whenRoom(ctx, func() error { return x.writer.CommitEmpty(KindEnd) })
		if !errors.Is(err, ErrNoRoom) {
			x.publish()
			return err
		}
		if x.passedOver() {
			return nil
		}
	}
}

// reserve waits for space; it returns none when nobody will ever read it.
func (x *exchange) reserve(ctx context.Context, least int) (space []byte, err error) {
	for {
		err = x.whenRoom(ctx, func() (err error) { space, err = x.writer.Reserve(least); return err })
		if !errors.Is(err, ErrNoRoom) {
			return space, err
		}
		if x.passedOver() {
			return nil, nil
		}
	}
}

// whenRoom tries, and waits once if there is no room: what is committed is
// published, the wish is announced, and it looks again (S1).
func (x *exchange) whenRoom(ctx context.Context, try func() error) error {
	if err := try(); !errors.Is(err, ErrNoRoom) {
		return err
	}
	x.publish()
	// Any slot that is out will do: the worker releases all of them in the end.
	x.row.WantRoomAt(x.writer.Committed() - x.pumps.Uint64N(max(1, x.writer.Outstanding())))
	defer x.row.WantRoomAt(0)
	if err := try(); !errors.Is(err, ErrNoRoom) {
		return err
	}
	if err := wait(ctx, x.news.pump, "room"); err != nil {
		return err
	}
	return try()
}

func (x *exchange) publish() {
	if x.writer.Publish() && x.lane.WantsRequest() {
		x.end.Notify(x.index)
	}
}

// receive reads and checks the response, releasing now and then, and everything
// before it waits.
func (x *exchange) receive(ctx context.Context) error {
	received := uint64(0)
	for next := uint64(1); ; next++ {
		slot, err := x.tail(ctx, next)
		if err != nil {
			return err
		}
		switch slot.Kind {
		case KindHeaders:
			if id := binary.LittleEndian.Uint64(slot.Bytes); id != x.id {
				return fmt.Errorf("the response is that of stream %d", id)
			}
		case KindBody:
			if err := responsePattern(x.id).check(slot.Bytes, received); err != nil {
				return err
			}
			received += uint64(len(slot.Bytes))
		case KindEnd:
			if received != x.response {
				return fmt.Errorf("the response ended after %d of %d bytes", received, x.response)
			}
			return nil
		case 0: // nobody will ever write it
			return nil
		default:
			return fmt.Errorf("unexpected %v", slot.Kind)
		}
		if x.random.IntN(3) == 0 {
			x.release(next - x.random.Uint64N(next-x.reader.Released()))
		}
	}
}

func (x *exchange) release(n uint64) {
	if n <= x.reader.Released() {
		return
	}
	x.reader.Release(n)
	if x.lane.WantsRoomAt(n) {
		x.end.Notify(x.index)
	}
}

// tail waits for slot n. It returns a slot of no kind when none will come.
func (x *exchange) tail(ctx context.Context, n uint64) (Slot, error) {
	for {
		slot, err := x.reader.Tail(n)
		if !errors.Is(err, ErrNothingYet) {
			return slot, err
		}
		x.release(n - 1)
		x.place.WantResponse(true)
		slot, err = x.reader.Tail(n)
		if errors.Is(err, ErrNothingYet) {
			if x.passedOver() {
				return Slot{}, nil
			}
			if err := wait(ctx, x.news.response, "a response slot"); err != nil {
				return Slot{}, err
			}
			slot, err = x.reader.Tail(n)
		}
		x.place.WantResponse(false)
		if !errors.Is(err, ErrNothingYet) {
			return slot, err
		}
	}
}

// wait waits for news, or for the watchdog.
func wait(ctx context.Context, news <-chan struct{}, what string) error {
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
	}
}
