package ring

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/shm"
)

// The roles of the processes, by name.
const (
	producerRole = "producer"
	readerRole   = "reader"
	pingRole     = "ping"
	pongRole     = "pong"
)

// Roles are what a process of this package can be.
var Roles = map[string]func(args []string) error{
	producerRole: produce, readerRole: consume, pingRole: ping, pongRole: pong,
}

// config is how a producer sets the memory up.
type config struct {
	SlotSize int  `json:"slot_size"`
	Readers  int  `json:"readers"` // processes
	Streams  int  `json:"streams"` // of each
	Eventfd  bool `json:"eventfd"` // the bell of the readers; else a futex
	Spin     bool `json:"spin"`    // nobody sleeps
	Core     int  `json:"core"`    // of the readers
}

func newConfig(slotSize, readers, streams int) config {
	return config{SlotSize: slotSize, Readers: readers, Streams: streams, Core: role.AnyCore}
}

// geometry plans a request segment of the size that the server has by default.
func (c *config) geometry() (shm.RequestGeometry, error) {
	return shm.PlanRequest(shm.RequestConfig{
		SlotSize: c.SlotSize, SlotLimit: slotLimit, Rows: max(100, c.Readers*c.Streams),
		Links: max(c.Readers, 64), LinkLanes: max(c.Streams, 64), Bytes: segmentBytes,
	})
}

// responses plans the segment of a reader.
func (c *config) responses() (shm.ResponseGeometry, error) {
	return shm.PlanResponse(c.SlotSize, slotLimit, c.Streams, uint64(max(8<<20, 2*c.Streams*c.SlotSize)))
}

// The defaults of the server.
const (
	segmentBytes = 128 << 20
	slotLimit    = 16384
)

// The ways to copy memory.
const (
	copyCached  = "cached"
	copyThrough = "through"
)

// task is what a producer is asked for: to send that many bytes, to copy them, or to make
// round trips for that long.
type task struct {
	Bytes  int64         `json:"bytes,omitempty"`
	Copy   string        `json:"copy,omitempty"`
	Period time.Duration `json:"period,omitempty"`
}

// outcome is what a task took.
type outcome struct {
	Seconds float64     `json:"seconds"`
	Slots   int64       `json:"slots"`
	Trips   load.Result `json:"trips"`
	Error   string      `json:"error,omitempty"`
}

// serveTasks announces that this process is ready, and carries out the tasks that come in.
func serveTasks(carryOut func(task) (outcome, error)) error {
	if err := role.Announce(outcome{}); err != nil {
		return err
	}
	for tasks := json.NewDecoder(os.Stdin); ; {
		var t task
		if err := tasks.Decode(&t); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		o, err := carryOut(t)
		if err != nil {
			o.Error = err.Error()
		}
		if err := role.Announce(o); err != nil {
			return err
		}
	}
}
