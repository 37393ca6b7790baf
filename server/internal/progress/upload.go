package progress

import (
	"sync"
	"sync/atomic"
)

// upload is what others have to know of the goroutine that receives the upload.
type upload struct {
	blocked  atomic.Bool  // it waits for the worker to release slots
	ended    atomic.Bool  // the end of the request is published
	received atomic.Int64 // bytes of body so far

	mu  sync.Mutex
	err error // why it broke off
}

func (u *upload) reset() {
	u.blocked.Store(false)
	u.ended.Store(false)
	u.received.Store(0)
	u.mu.Lock()
	u.err = nil
	u.mu.Unlock()
}

// Receive counts bytes of the upload, and returns how many there are so far.
func (x *Exchange) Receive(n int) (total int64) { return x.upload.received.Add(int64(n)) }

// Received returns how many bytes of the upload have come in.
func (x *Exchange) Received() int64 { return x.upload.received.Load() }

// EndUpload notes that the whole request is published, or that no more of it will be.
func (x *Exchange) EndUpload() { x.upload.ended.Store(true) }

// UploadEnded reports whether EndUpload was called.
func (x *Exchange) UploadEnded() bool { return x.upload.ended.Load() }

// BlockUpload notes whether the upload waits for the worker to release slots.
func (x *Exchange) BlockUpload(on bool) { x.upload.blocked.Store(on) }

// UploadBlocked reports whether it does.
func (x *Exchange) UploadBlocked() bool { return x.upload.blocked.Load() }

// FailUpload notes why the upload broke off; the first reason stays.
func (x *Exchange) FailUpload(err error) {
	u := &x.upload
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
}

// UploadFailure returns why the upload broke off, or nil.
func (x *Exchange) UploadFailure() error {
	u := &x.upload
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
