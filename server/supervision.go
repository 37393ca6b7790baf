package server

import (
	"time"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
)

// Never is the StuckAfter with which a worker is never stuck.
const Never time.Duration = -1

// StuckWorker is a worker that makes no progress with requests, see [Config].
type StuckWorker = dispatch.StuckWorker

// AttachedWorker is a worker that was started, and has attached with a link, see [Config].
type AttachedWorker = dispatch.AttachedWorker

// WorkerEnd is how the process of a worker that was started has ended, see [Config].
type WorkerEnd = dispatch.WorkerEnd

// Retries says when a request that a worker has failed is given to another one.
type Retries = dispatch.Retries

// DefaultRetries are the Retries of a pool that says nothing else.
func DefaultRetries() Retries { return dispatch.DefaultRetries() }

// StuckRequest is a request with which a worker makes no progress.
type StuckRequest = dispatch.StuckRequest

// DrainWorker gives no more requests to the links that a process has now: that of a worker
// which was started, with its descendants, or any that has attached. Other links get what it
// has not taken yet. The channel is closed when the process has let go of its last request, at
// once if it has none. A supervisor calls it before it asks a process to end.
func (r *UploadResponseRouter) DrainWorker(process int) <-chan struct{} {
	return r.dispatcher.DrainWorker(process)
}

// ExpectWorkers has requests wait for workers that attach by themselves, where there is none yet,
// for so long: in a server that takes the place of another one, from which they come. Otherwise
// such requests fail at once.
func (r *UploadResponseRouter) ExpectWorkers(wait time.Duration) { r.dispatcher.ExpectWorkers(wait) }

// EvictWorker closes the links of a process, see DrainWorker, and returns how many there were.
// The process is told why. Its requests fare as those of a dead worker.
func (r *UploadResponseRouter) EvictWorker(process int, why string) int {
	return r.dispatcher.EvictWorker(process, why)
}

// MarkFailed notes that no worker of a pool is to be expected, and why: requests for the pool
// fail at once while no worker is attached, also those that wait. The first worker that attaches
// ends that, and so does MarkRecovered. The caller logs it.
func (r *UploadResponseRouter) MarkFailed(pool, reason string) { r.dispatcher.MarkFailed(pool, reason) }

// MarkRecovered notes that the workers of a pool are started again: requests wait for them.
func (r *UploadResponseRouter) MarkRecovered(pool string) { r.dispatcher.MarkRecovered(pool) }

// Hopeless is MarkFailed for a pool to which no worker has ever attached; of another one it says
// nothing.
//
// Deprecated: use MarkFailed.
func (r *UploadResponseRouter) Hopeless(pool, how string) { r.dispatcher.MarkHopeless(pool, how) }

// PoolLoad is how busy the workers of a pool are, and who waits for them.
type PoolLoad = dispatch.PoolLoad

// PoolLoad returns how busy a pool is, for a supervisor that starts more workers when requests
// wait.
func (r *UploadResponseRouter) PoolLoad(pool string) PoolLoad { return r.dispatcher.PoolLoad(pool) }
