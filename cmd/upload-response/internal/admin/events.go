package admin

import (
	"sync"
	"time"
)

// Event is something that happened.
type Event struct {
	ID         uint64         `json:"id"` // counts from 1
	Time       time.Time      `json:"time"`
	Type       string         `json:"type"`            // log, output, worker, or another that Publish was given
	Level      string         `json:"level,omitempty"` // of a log record: info, warn or error; info of an output
	App        string         `json:"app,omitempty"`
	Worker     string         `json:"worker,omitempty"`
	PID        int            `json:"pid,omitempty"`
	Message    string         `json:"message"`
	Attributes map[string]any `json:"attributes,omitempty"` // of a log record
}

// The types of events that this package makes.
const (
	TypeLog     = "log"     // a record of the log, from level info up
	TypeOutput  = "output"  // what a worker has printed
	TypeWorker  = "worker"  // a worker started, attached, ended, was stuck, was replaced
	TypeReload  = "reload"  // the configuration was read again, or could not be
	TypeDropped = "dropped" // the reader was too slow: so many events are missing
)

// Events keeps the last events, and gives new ones to whoever reads them. Nobody waits for a
// reader: one that is too slow misses events, and is told how many.
type Events struct {
	mu      sync.Mutex
	before  uint64  // the first event has the id after it
	last    uint64  // id of the newest
	kept    []Event // a ring: the event with an id is at id % keptEvents
	readers map[*reader]struct{}
}

// keptEvents is how many events a new reader can still see, and readerEvents how many may wait
// for one reader.
const (
	keptEvents   = 512
	readerEvents = 256
)

// reader is one that reads events as they come.
type reader struct {
	events chan Event
	missed uint64 // not given to it; guarded by the lock of the Events
}

// NewEvents returns an Events without events. Its ids begin with the present microsecond, after those of a process
// before this one: a reader that comes back after a new start of the server, or an upgrade, misses nothing of the
// new process.
func NewEvents() *Events {
	now := uint64(time.Now().UnixMicro())
	return &Events{before: now, last: now, kept: make([]Event, keptEvents), readers: map[*reader]struct{}{}}
}

// Publish tells the readers of an event, whose ID and, if it is zero, Time it sets.
func (e *Events) Publish(event Event) {
	if event.Time.IsZero() {
		event.Time = time.Now()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	event.ID = e.last
	e.kept[event.ID%keptEvents] = event
	for r := range e.readers {
		r.offer(event)
	}
}

// offer gives the reader an event, unless there is no room. The caller holds the lock.
func (r *reader) offer(event Event) {
	select {
	case r.events <- event:
	default:
		r.missed++
	}
}

// subscribe returns a reader, and the events that are kept after the one with an id. Release:
// unsubscribe.
func (e *Events) subscribe(after uint64) (r *reader, before []Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r = &reader{events: make(chan Event, readerEvents)}
	e.readers[r] = struct{}{}
	for id := max(e.before+1, e.last-keptEvents+1, after+1); id <= e.last; id++ {
		before = append(before, e.kept[id%keptEvents])
	}
	return r, before
}

func (e *Events) unsubscribe(r *reader) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.readers, r)
}

// takeMissed returns how many events the reader has missed since the last call.
func (e *Events) takeMissed(r *reader) (n uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, r.missed = r.missed, 0
	return n
}
