package dispatch

// Retries says when a request that a worker has failed is given to another one. In any case
// it has to be whole in memory, and the response must not have begun. A request that the server
// took back from the inbox of a worker always goes to another one.
type Retries struct {
	// OnRefused: the worker died before it took the request. A request is given to another one
	// at most 8 times.
	OnRefused bool
	// OnDied: the worker died with the request, whose method is idempotent; so often, Times.
	// A request that was all that its worker served, when that ended by itself, is not served
	// again, see [Config].Ended.
	OnDied bool
	Times  int
}

// DefaultRetries are those of a pool that says nothing else.
func DefaultRetries() Retries { return Retries{OnRefused: true, OnDied: true, Times: 1} }

// retries returns those of the pool.
func (p *Pool) retries() Retries {
	if r := p.config.Load().Retries; r != nil {
		return *r
	}
	return DefaultRetries()
}
