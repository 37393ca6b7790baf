package progress

import "time"

// uploadRate is how long the server has waited for one upload. It is brought up to date
// by the deadline loop, not with each read: to read a slot takes less time than to ask for
// the time.
type uploadRate struct {
	stream  uint64 // the stream with this upload
	checked int64  // when, shm.Now
	waited  int64  // nanoseconds
}

// tooSlow reports whether the upload of a stream comes at less than the least rate.
func (x *Exchange) tooSlow(stream uint64, now int64, limits *Limits) bool {
	r := &x.rate
	if r.stream != stream {
		*r = uploadRate{stream: stream, checked: now}
	}
	if since := x.readSince.Load(); since != 0 {
		r.waited += max(now-max(since, r.checked), 0)
	}
	r.checked = now
	if limits.MinBodyRate == 0 || r.waited <= int64(limits.ClientTimeout) || x.started.Load() {
		return false
	}
	seconds := time.Duration(r.waited).Seconds()
	return float64(x.Received()) < seconds*float64(limits.MinBodyRate) && x.readSince.Load() != 0
}
