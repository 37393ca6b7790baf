package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// Config is what a [Dispatcher] has to know. Its values have been checked.
type Config struct {
	ServerName string // what workers are told

	NumStreams     int    // exchanges at once
	SlotSize       int    // bytes, a multiple of 4096
	SlotsPerStream int    // outstanding slots of one lane at most
	Memory         uint64 // bytes; one half for requests, one for responses
	LinkMemory     uint64 // bytes of one link's responses
	MaxLinks       int

	ResponseTimeout time.Duration   // without progress of a worker whose turn it is
	StuckAfter      time.Duration   // the same, until the worker is stuck; 0: as ResponseTimeout; negative: never
	Limits          progress.Limits // of clients
	QueueLength     int             // exchanges that wait at most
	QueueTime       time.Duration   // how long each of them may

	Pools      []string // that routes lead to; one may be named more than once
	Supervised []string // pools whose workers come back by themselves
	OpenPools  []string // those of them that take other workers, too
	Started    func(pid int) (pool string, leader int)
	// WorkerName, if not nil, returns the name of a worker that was started, or "".
	WorkerName     func(leader int) string
	StartedWorkers int
	// OnAttach, if not nil, is called when a worker that was started has attached, just
	// before it gets requests.
	OnAttach func(AttachedWorker)
	// Ended, if not nil, waits until a worker that was started has ended, at most until ctx
	// does, and returns how. It is asked when a link of the worker's is lost.
	Ended func(ctx context.Context, leader int) WorkerEnd

	PoolConfigs map[string]PoolConfig // of pools that differ from the defaults
	OnStuck     func(StuckWorker)     // called in a goroutine of its own; nil: stuck workers are evicted

	AllowUIDs, AllowGIDs []uint32 // may serve every pool
	PoolUIDs, PoolGIDs   []PoolID

	LinksPerProcess, LinksPerUser, LinksPerPool int // 0: any number

	Log *slog.Logger
}

// planRequest fits the request segment into its half of the memory.
func (c *Config) planRequest() (shm.RequestGeometry, error) {
	return shm.PlanRequest(shm.RequestConfig{
		SlotSize: c.SlotSize, SlotLimit: c.SlotsPerStream, Rows: c.NumStreams, Links: c.MaxLinks,
		LinkLanes: c.mostLanes(), Bytes: c.Memory / 2,
	})
}

// Check returns [shm.ErrGeometry] when the sizes do not fit together.
func (c *Config) Check() error {
	_, err := c.planRequest()
	return err
}

// mostLanes returns how many lanes a link can have at most: more than there are streams
// would never be used.
func (c *Config) mostLanes() int { return min(c.NumStreams, shm.MaxLanes/2) }
