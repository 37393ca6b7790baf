package shm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
)

// loopServer drives a link as the server does: one goroutine watches the link,
// and each stream has one that fills its request lane and one that reads its
// response. Who waits looks again only after a notice about its lane.
type loopServer struct {
	segment *RequestSegment
	end     *ServerEnd
	bell    *Eventfd
	pool    *Pool
	writers []*Writer
	news    []laneNews
	seed    uint64

	mu   sync.Mutex // the link's
	rows chan uint32
	free chan uint32 // lanes

	slotSize int
	outcomes struct{ served, gotBack, passedOver int }
}

// laneNews tells the two goroutines of a lane's stream to look again.
type laneNews struct{ pump, response chan struct{} }

func newLoopServer(segment *RequestSegment, end *ServerEnd, bell *Eventfd, seed uint64) *loopServer {
	g := segment.Geometry()
	s := &loopServer{
		segment: segment, end: end, bell: bell, pool: NewPool(g.Buffers), seed: seed, slotSize: int(g.SlotSize),
		rows: make(chan uint32, g.Rows), free: make(chan uint32, end.Lanes()),
	}
	for i := range g.Rows {
		s.writers = append(s.writers, segment.NewWriter(i))
		s.rows <- i
	}
	for i := range end.Lanes() {
		s.news = append(s.news, laneNews{make(chan struct{}, 1), make(chan struct{}, 1)})
		s.free <- i
	}
	return s
}

// watch hears the worker's notices until the bell is closed.
func (s *loopServer) watch(fail context.CancelCauseFunc) {
	for {
		all, err := s.end.News(func(lane uint32) { s.poke(lane) })
		if err != nil {
			fail(err)
			return
		}
		if all {
			for lane := range s.news {
				s.poke(uint32(lane))
			}
		}
		if err := s.bell.Wait(s.end.Sleep); err != nil {
			return
		}
		s.end.Awake()
	}
}

func (s *loopServer) poke(lane uint32) {
	for _, c := range []chan struct{}{s.news[lane].pump, s.news[lane].response} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// run serves the streams, as many at once as there are lanes.
func (s *loopServer) run(ctx context.Context, streams []testStream) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var watcher, work sync.WaitGroup
	watcher.Go(func() { s.watch(fail) })
	for _, stream := range streams {
		var lane uint32
		select {
		case lane = <-s.free:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		work.Go(func() {
			if err := s.serve(ctx, stream, lane); err != nil {
				fail(fmt.Errorf("stream %d, lane %d: %w", stream.id, lane, err))
			}
			s.free <- lane
		})
	}
	work.Wait()
	s.end.SetState(LinkDraining)
	_ = s.bell.Close()
	watcher.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (s *loopServer) serve(ctx context.Context, stream testStream, lane uint32) error {
	row := <-s.rows
	defer func() { s.rows <- row }()
	x := &exchange{
		loopServer: s, testStream: stream, news: s.news[lane], index: lane, lane: s.end.Lane(lane),
		place: s.end.Position(lane), row: s.segment.Row(row), writer: s.writers[row],
		random: rand.New(rand.NewPCG(s.seed, stream.id)), pumps: rand.New(rand.NewPCG(s.seed, stream.id+1<<32)),
	}
	if err := x.open(ctx); err != nil {
		return err
	}
	defer x.writer.Close()
	defer x.row.Close()
	x.row.Open(stream.id)
	x.place.Open(stream.id)
	x.reader = s.end.Reader(lane, stream.id)
	x.writer.BindLane(x.lane, stream.id, nil)
	if err := x.putHeaders(); err != nil {
		return err
	}
	untaken, err := x.offer(Assignment{StreamID: stream.id, Row: row, Lane: lane, Time: Now()})
	if err != nil {
		return err
	}
	if !untaken {
		err = x.transfer(ctx)
	}
	x.place.Finish()
	if x.lane.WantsRoomAt(AllReleased) {
		x.end.Notify(lane)
	}
	if err != nil {
		return err
	}
	for !x.lane.HasLetGo(stream.id) {
		if err := wait(ctx, x.news.response, "the worker to let go"); err != nil {
			return err
		}
	}
	x.count(untaken)
	return nil
}
