package server

import (
	"sync"
	"sync/atomic"
)

// uploadState is what the responder and the clock have to know of the pump.
type uploadState struct {
	waits  atomic.Bool  // the pump waits for the worker to release slots
	ended  atomic.Bool  // the end of the request is published
	amount atomic.Int64 // bytes of body so far

	mu  sync.Mutex
	err error
}

func (u *uploadState) reset() {
	u.waits.Store(false)
	u.ended.Store(false)
	u.amount.Store(0)
	u.mu.Lock()
	u.err = nil
	u.mu.Unlock()
}

// fail notes why the upload broke off; the first reason stays.
func (u *uploadState) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
}

// failure returns why the upload broke off, or nil.
func (u *uploadState) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
