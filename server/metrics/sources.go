package metrics

import (
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// Sources is what the metrics are made of. Each function may be nil: its metrics are then left out. They are called
// for every scrape, by any goroutine.
type Sources struct {
	Router *server.UploadResponseRouter

	// Workers returns the worker processes that the server has started. Of several with the same name the first
	// counts, except in the number of workers by state: the others are on their way out.
	Workers func() []Worker
	// Exits returns how the processes that have ended did so.
	Exits func() []Exits
	// Certificates returns the certificates in use.
	Certificates func() []Certificate
	// ReloadFailed reports whether the configuration was loaded again last without success, and why nothing changed.
	ReloadFailed func() bool
	// LostLogLines returns how many lines of the logs could not be written.
	LostLogLines func() int64
}

// Worker is a worker process that the server has started.
type Worker struct {
	App   string // or pool, as the routes name it
	Name  string // APP/SLOT: it stays when the process is replaced
	State string // one of States

	StartTime time.Duration // from its start until it attached; 0: it has not
	Resident  uint64        // bytes of memory
	CPU       time.Duration // that the process has used
}

// States are what a worker can do: it has not attached yet, it has, it is on its way out, it is to be started after a
// pause, or it ends again and again.
var States = []string{"starting", "running", "stopping", "backing_off", "failed"}

// Exits is how many processes of an app have ended for a reason. Several for the same are added up.
type Exits struct {
	App    string
	Reason string
	Count  uint64
}

// Certificate is a certificate that clients are shown.
type Certificate struct {
	Name    string // by which it is configured: a file, or a domain
	Expires time.Time
}
