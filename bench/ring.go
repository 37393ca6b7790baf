package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/shm"
)

// Ring measures the shared memory alone: a process that writes, and others that read
// it through the real segments, lanes and bells. There is no HTTP.
func Ring(ctx context.Context, o Options) (*report.Report, error) {
	r := &ring{options: &o, report: o.newReport()}
	cases := map[string]func(context.Context) error{RingSlots: r.slotSizes, RingStreams: r.streams, RingReaders: r.readers, RingTrips: r.roundTrips}
	for _, name := range o.RingCases {
		if err := cases[name](ctx); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

// ring is a run of the benchmark.
type ring struct {
	options *Options
	report  *report.Report
}

// SlotSizes are the sizes of the table, in KiB.
var SlotSizes = []int{16, 32, 64, 100, 128, 256, 512, 768, 1024, 2048}

// The metrics of the ring.
var (
	slotRate  = report.Metric{Name: "slots", Unit: "1/s", Better: report.Higher, Cost: true}
	ringCPU   = report.Metric{Name: "CPU", Unit: "s/GB", Better: report.Lower, Cost: true}
	tripRate  = report.Metric{Name: "rate", Unit: "1/s", Better: report.Higher, Cost: true}
	ringSleep = report.Metric{Name: "sleeps", Unit: "1/GB", Better: report.Lower, Cost: true}
	tripSleep = report.Metric{Name: "sleeps", Unit: "1/trip", Better: report.Lower, Cost: true}
)

const slotBytes = 64 << 10 // where the size is not what is looked at

func (r *ring) slotSizes(ctx context.Context) error {
	var list []*ringContender
	for _, kib := range SlotSizes {
		list = append(list, &ringContender{name: fmt.Sprintf("%d KiB", kib), shape: newShape(kib<<10, 1, 1), x: float64(kib)})
	}
	return r.transfers(ctx, "slot size", "1 stream, 1 reader", list)
}

func (r *ring) streams(ctx context.Context) error {
	var list []*ringContender
	for _, n := range []int{1, 4, 16, 64} {
		list = append(list, &ringContender{name: plural(n, "stream"), shape: newShape(slotBytes, 1, n)})
	}
	return r.transfers(ctx, "concurrent streams", "1 reader, slots of 64 KiB", list)
}

func (r *ring) readers(ctx context.Context) error {
	var list []*ringContender
	for _, n := range r.options.Readers {
		list = append(list, &ringContender{name: plural(n, "reader"), shape: newShape(slotBytes, n, 1)})
	}
	return r.transfers(ctx, "one writer, several readers", "a process and a stream each, slots of 64 KiB", list)
}

// ringContender is one shape of the memory.
type ringContender struct {
	name  string
	shape ringShape
	x     float64 // KiB in a slot, if that is what is looked at
}

// transfers measures how fast the bytes go, in turns with copies of memory.
func (r *ring) transfers(ctx context.Context, name, detail string, list []*ringContender) error {
	table := &report.Table{Bench: "ring", Case: name, Detail: detail + ", " + byteCount(r.options.Size)}
	var contenders []*contender
	for i, c := range list {
		p, err := r.startProducer(anyCore, c.shape)
		if err != nil {
			r.report.Skip(table.Title()+": "+c.name, err.Error())
			continue
		}
		defer p.stop()
		if i == 0 {
			contenders = append(contenders, r.copies(p)...)
		}
		contenders = append(contenders, &contender{row: &report.Row{Name: c.name, X: c.x}, measure: func() ([]value, error) {
			return r.transfer(p, ringOrder{Bytes: r.options.Size})
		}})
	}
	return r.options.run(ctx, r.report, table, contenders)
}

// copies are the limits: what one processor copies in a cache, and through as much
// memory as the slots have.
func (r *ring) copies(p *process) []*contender {
	measure := func(how string) func() ([]value, error) {
		return func() ([]value, error) { return r.transfer(p, ringOrder{Bytes: r.options.Size, Copy: how}) }
	}
	return []*contender{
		{row: &report.Row{Name: "memcpy, in the cache", Limit: true}, measure: measure(copyCached)},
		{row: &report.Row{Name: "memcpy, through memory", Limit: true}, measure: measure(copyThrough)},
	}
}

// startProducer starts a producer on a core. Release: stop.
func (r *ring) startProducer(core int, shape ringShape) (*process, error) {
	return r.startReady(core, "producer", shape)
}

// startReady starts a process with a shape, and waits until it says that it is ready.
func (r *ring) startReady(core int, role string, shape ringShape) (*process, error) {
	text, err := json.Marshal(shape)
	if err != nil {
		return nil, err
	}
	p, err := r.options.startRoleOn(core, role, string(text))
	if err != nil {
		return nil, err
	}
	var ready ringResult
	if err := p.receive(&ready); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// askRing has a producer measure, and looks at what it and its consumers use.
func askRing(p *process, order ringOrder) (result ringResult, used usage, err error) {
	before := usageOf([]int{p.pid()})
	if err := p.ask(order, &result); err != nil {
		return result, used, err
	}
	if result.Error != "" {
		return result, used, fmt.Errorf("%s", result.Error)
	}
	return result, usageOf([]int{p.pid()}).minus(before), nil
}

func (r *ring) transfer(p *process, order ringOrder) ([]value, error) {
	result, used, err := askRing(p, order)
	if err != nil {
		return nil, err
	}
	gigabytes := float64(order.Bytes) / 1e9
	list := []value{{speed, gigabytes / result.Seconds}}
	if order.Copy == "" {
		list = append(list, value{slotRate, float64(result.Slots) / result.Seconds}, value{ringSleep, float64(used.sleeps) / gigabytes})
	}
	return append(list, value{ringCPU, used.cpu.Seconds() / gigabytes}), nil
}

// roundTrips measures how long a slot of 64 bytes takes to the other process, and an
// answer back: when both sleep until it comes, and when both look all the time, for
// which each needs a core.
func (r *ring) roundTrips(ctx context.Context) error {
	futex, eventfd, spin := newShape(slotBytes, 1, 1), newShape(slotBytes, 1, 1), newShape(slotBytes, 1, 1)
	eventfd.Eventfd, spin.Spin = true, true
	for _, at := range placings() {
		asleep := []*ringContender{{name: "reader on a futex", shape: futex}, {name: "reader on an eventfd", shape: eventfd}}
		if err := r.trips(ctx, "round trip, both asleep", "bare futex", at, asleep); err != nil {
			return err
		}
		if at.first == at.second {
			continue
		}
		if err := r.trips(ctx, "round trip, both spinning", "bare words", at, []*ringContender{{name: "reader", shape: spin}}); err != nil {
			return err
		}
	}
	return nil
}

// trips measures the round trips of all in turns, and of a process with nothing but
// two words.
func (r *ring) trips(ctx context.Context, name, limit string, at placing, list []*ringContender) error {
	table := &report.Table{Bench: "ring", Case: name, Detail: at.name + ", 64 bytes each way"}
	shape := list[0].shape
	shape.Core = at.second
	bare, err := r.startReady(at.first, "bounce", shape)
	if err != nil {
		return err
	}
	defer bare.stop()
	contenders := []*contender{r.tripContender(limit, bare, true)}
	for _, c := range list {
		c.shape.Core = at.second
		p, err := r.startProducer(at.first, c.shape)
		if err != nil {
			r.report.Skip(table.Title()+": "+c.name, err.Error())
			continue
		}
		defer p.stop()
		contenders = append(contenders, r.tripContender(c.name, p, false))
	}
	return r.options.run(ctx, r.report, table, contenders)
}

func (r *ring) tripContender(name string, p *process, limit bool) *contender {
	return &contender{row: &report.Row{Name: name, Limit: limit}, measure: func() ([]value, error) {
		result, used, err := askRing(p, ringOrder{Period: r.options.Period})
		if err != nil {
			return nil, err
		}
		n := float64(result.Trips.Count)
		return []value{
			{p50, result.Trips.P50 * 1e6}, {p99, result.Trips.P99 * 1e6}, {p999, result.Trips.P999 * 1e6},
			{tripRate, n / result.Trips.Seconds}, {tripSleep, float64(used.sleeps) / n},
		}, nil
	}}
}

// ringShape is how a producer sets the memory up.
type ringShape struct {
	SlotSize int  `json:"slot_size"`
	Readers  int  `json:"readers"` // processes
	Streams  int  `json:"streams"` // of each
	Eventfd  bool `json:"eventfd"` // the readers' bell; else a futex
	Spin     bool `json:"spin"`    // nobody sleeps
	Core     int  `json:"core"`    // of the readers
}

func newShape(slotSize, readers, streams int) ringShape {
	return ringShape{SlotSize: slotSize, Readers: readers, Streams: streams, Core: anyCore}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// The ways to copy memory.
const (
	copyCached  = "cached"
	copyThrough = "through"
)

// ringOrder is what a producer is asked for: to send so many bytes, to copy them, or
// to make round trips for so long.
type ringOrder struct {
	Bytes  int64         `json:"bytes,omitempty"`
	Copy   string        `json:"copy,omitempty"`
	Period time.Duration `json:"period,omitempty"`
}

// ringResult is what came of it.
type ringResult struct {
	Seconds float64     `json:"seconds"`
	Slots   int64       `json:"slots"`
	Trips   load.Result `json:"trips"`
	Error   string      `json:"error,omitempty"`
}

// geometry plans a request segment of the size that the server has by default.
func (s *ringShape) geometry() (shm.RequestGeometry, error) {
	return shm.PlanRequest(shm.RequestConfig{
		SlotSize: s.SlotSize, SlotLimit: ringSlotLimit, Rows: max(100, s.Readers*s.Streams), Links: max(s.Readers, 64), LinkLanes: max(s.Streams, 64), Bytes: ringBytes,
	})
}

// responses plans the segment of a reader.
func (s *ringShape) responses() (shm.ResponseGeometry, error) {
	return shm.PlanResponse(s.SlotSize, ringSlotLimit, s.Streams, uint64(max(8<<20, 2*s.Streams*s.SlotSize)))
}

// What the server has by default.
const (
	ringBytes     = 128 << 20
	ringSlotLimit = 16384
)
