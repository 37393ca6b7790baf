package dispatch

// Retries says when a request that a worker has failed is given to another one. In any case
// it has to be whole in memory, and the response must not have begun. A request that was
// taken back from the inbox of a worker, for whatever reason, goes to another one.
type Retries struct {
	// OnRefused: the worker has not begun with the request: it is taken back from the inbox when
	// another would begin sooner, or the worker died before it took it. Each happens at most 8 times
	// to a request, but for workers that get no more requests.
	OnRefused bool
	// OnDied: the worker died with the request, whose method is idempotent; so often, Times.
	// A request that was all that its worker served, when that ended by itself, is not served
	// again, see [Config].Ended.
	OnDied bool
	Times  int
}

// DefaultRetries are those of a pool that says nothing else.
func DefaultRetries() Retries { return Retries{OnRefused: true, OnDied: true, Times: 1} }

// retriesOf returns those of a request, or of the pool.
func (p *Pool) retriesOf(s *Stream) Retries {
	if s.retries != nil {
		return *s.retries
	}
	return p.retries()
}

// retries returns those of the pool.
func (p *Pool) retries() Retries {
	if r := p.config.Load().Retries; r != nil {
		return *r
	}
	return DefaultRetries()
}
