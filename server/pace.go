package server

import "time"

// uploadPace is the clock's account of how long one upload has been waited for. It
// is made at each look, not at each read: a slot is read in less time than it
// takes to ask for the time.
type uploadPace struct {
	stream uint64 // that it is of
	looked int64  // when, shm.Now
	waited int64  // nanoseconds
}

// tooSlow reports whether an upload comes at less than the least rate.
func (u *uploadPace) tooSlow(s *stream, id uint64, now int64, c *Config) bool {
	if u.stream != id {
		*u = uploadPace{stream: id, looked: now}
	}
	if since := s.watch.readSince.Load(); since != 0 {
		u.waited += max(now-max(since, u.looked), 0)
	}
	u.looked = now
	if c.MinBodyRate == 0 || u.waited <= int64(c.ClientTimeout) || s.watch.answered.Load() {
		return false
	}
	seconds := time.Duration(u.waited).Seconds()
	return float64(s.upload.amount.Load()) < seconds*float64(c.MinBodyRate) && s.watch.readSince.Load() != 0
}
