package server

// DrainPool has the workers of a pool get no more requests: for the pool, requests fail at once with 503 and
// Retry-After, also those that wait for a worker. What workers have goes on until it ends, uploads and WebSockets among it, and
// workers stay attached. It reports whether there is such a pool. A new configuration does not end it; ResumePool does.
func (r *UploadResponseRouter) DrainPool(pool string) bool { return r.dispatcher.DrainPool(pool) }

// ResumePool has the workers of a pool get requests again, and reports whether there is such a pool.
func (r *UploadResponseRouter) ResumePool(pool string) bool { return r.dispatcher.ResumePool(pool) }
