package dispatch

import "time"

// PoolConfig is how one pool differs from the others. The zero value is that of a pool
// that does not.
type PoolConfig struct {
	// StuckAfter is how long a worker of the pool may make no progress with a request until
	// it is stuck, see [StuckWorker]; 0: as for all pools; negative: it never is.
	StuckAfter time.Duration
	// Retries says which requests are given to another worker; nil: [DefaultRetries].
	Retries *Retries
}
