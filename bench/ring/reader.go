package ring

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/shm"
)

// reader is a process that reads: the part of a worker that concerns memory, in one
// thread.
type reader struct {
	end    *shm.WorkerEnd
	bell   *shm.Eventfd // nil: the futex
	spin   bool
	pool   *shm.Pool
	lanes  []*readLane
	active []*readLane
}

// readLane is a lane of the reader, and the stream on it.
type readLane struct {
	words    *shm.Lane
	position *shm.Position
	writer   *shm.Writer
	reader   shm.Reader
	a        shm.Assignment
	next     uint64 // slot
	mode     byte
	sum      load.Checksum
}

// consume reads until the link is closed.
func consume(args []string) error {
	var own readerConfig
	if err := role.ParseArgument(args, &own); err != nil {
		return err
	}
	c, err := openReader(own)
	if err != nil {
		return err
	}
	if err := role.Announce(outcome{}); err != nil {
		return err
	}
	go func() {
		_ = role.AwaitEnd()
		os.Exit(0)
	}()
	return c.run()
}

// openReader maps the segments that were passed on as descriptors 3 and up.
func openReader(own readerConfig) (*reader, error) {
	const first = 3
	requests, _, err := shm.OpenRequestSegment(os.NewFile(first, "requests"))
	if err != nil {
		return nil, err
	}
	g, err := requests.OpenResponseGeometry(own.Link, generation)
	if err != nil {
		return nil, err
	}
	responses, err := shm.OpenResponseSegment(g, os.NewFile(first+1, "responses"))
	if err != nil {
		return nil, err
	}
	c := &reader{spin: own.Config.Spin}
	c.end = shm.NewWorkerEnd(requests, own.Link, generation, responses, shm.OpenPeerEventfd(first+2))
	if own.Config.Eventfd {
		if c.bell, err = shm.OpenEventfd(first + 3); err != nil {
			return nil, err
		}
	}
	c.pool = shm.NewPool(c.end.Buffers())
	for i := range c.end.Lanes() {
		l := &readLane{words: c.end.Lane(i), position: c.end.Position(i), writer: c.end.NewWriter(i)}
		l.writer.Open(c.pool, 1)
		c.lanes = append(c.lanes, l)
	}
	return c, nil
}

func (c *reader) run() error {
	for {
		worked, err := c.take()
		for i := 0; err == nil && i < len(c.active); i++ {
			var more bool
			more, err = c.step(c.active[i])
			worked = worked || more
		}
		c.active = slices.DeleteFunc(c.active, func(l *readLane) bool { return l.mode == 0 && l.next > 1 })
		if err == nil && !worked && !c.spin {
			err = c.sleep()
		}
		if err != nil || c.end.State() != shm.LinkOpen {
			return err
		}
	}
}

// take accepts every stream of the inbox.
func (c *reader) take() (worked bool, err error) {
	for {
		a, revoked, ok := c.end.Inbox.Take()
		if !ok {
			return worked, nil
		}
		if err := c.end.CheckAssignment(a); err != nil || revoked {
			return worked, errors.Join(err, errors.New("a stream was taken back, which never happens here"))
		}
		l := c.lanes[a.Lane]
		l.writer.Reopen()
		l.writer.BindPosition(l.position, a.StreamID)
		l.reader, l.a, l.next, l.mode, l.sum = c.end.Reader(a), a, 1, 0, load.Checksum{}
		l.words.Accept(a.StreamID)
		c.active = append(c.active, l)
		worked = true
	}
}

// turn is how many slots of a stream are read before the next stream has its turn.
const turn = 16

// step reads what there is.
func (c *reader) step(l *readLane) (worked bool, err error) {
	for range turn {
		slot, err := l.reader.Tail(l.next)
		if errors.Is(err, shm.ErrNothingYet) {
			return worked, nil
		}
		if err == nil {
			err = c.use(l, slot)
		}
		if err != nil || slot.Kind == shm.KindEnd {
			return true, err
		}
		worked = true
		l.reader.Release(l.next)
		if c.end.Row(l.a.Row).WantsRoomAt(l.next) {
			c.end.Notify(l.a.Lane)
		}
		l.next++
	}
	return worked, nil
}

// use uses a slot as the stream asks: adds it up, or sends it back.
func (c *reader) use(l *readLane, slot shm.Slot) error {
	switch {
	case slot.Kind == shm.KindHeaders:
		if l.mode = slot.Bytes[0]; l.mode == modeEcho {
			return c.answer(l, slot.Bytes, shm.KindHeaders)
		}
	case slot.Kind == shm.KindEnd:
		return c.finish(l)
	case l.mode == modeEcho:
		return c.answer(l, slot.Bytes, shm.KindBody)
	default:
		_, _ = l.sum.Write(slot.Bytes)
	}
	return nil
}

// answer sends a slot.
func (c *reader) answer(l *readLane, b []byte, kind shm.Kind) error {
	space, err := l.writer.Reserve(len(b))
	if err != nil {
		return err
	}
	l.writer.Commit(copy(space, b), kind)
	l.writer.Publish()
	if l.position.WantsResponse() {
		c.end.Notify(l.a.Lane)
	}
	return nil
}

// finish ends a stream.
func (c *reader) finish(l *readLane) error {
	var err error
	if l.mode == modeCount {
		err = c.answer(l, []byte(l.sum.String()), shm.KindHeaders)
	}
	l.mode = 0
	l.words.LetGo(l.a.StreamID)
	c.end.Notify(l.a.Lane)
	return err
}

// sleep waits until there is a stream or a slot.
func (c *reader) sleep() error {
	count := c.end.Bell()
	var err error
	if c.bell != nil {
		err = c.bell.Wait(c.maySleep)
	} else if c.maySleep() {
		err = c.end.WaitBell(count, time.Second)
	}
	c.end.Awake()
	for _, l := range c.active {
		l.words.WantRequest(false)
	}
	if _, news := c.end.News(func(uint32) {}); news != nil {
		return news
	}
	return ignoring(ignoring(err, os.ErrDeadlineExceeded), unix.EINTR)
}

// maySleep announces that this process is about to sleep, and looks once more (S1).
func (c *reader) maySleep() bool {
	for _, l := range c.active {
		l.words.WantRequest(true)
	}
	asleep := c.end.Sleep(shm.AsleepStream|shm.AsleepNotice, shm.LinkOpen, nil)
	for _, l := range c.active {
		if _, err := l.reader.Tail(l.next); !errors.Is(err, shm.ErrNothingYet) {
			return false
		}
	}
	return asleep
}
