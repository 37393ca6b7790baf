package progress

import "time"

// stalledAfter is how long the server waits for a client before the client counts as
// stalled: while others are busy, a byte that is there may take a while to be read.
const stalledAfter = 5 * time.Millisecond

// Stalled reports whether the exchange can only go on if its client does something. In an
// open WebSocket the client may be silent for any time.
func (x *Exchange) Stalled(now int64) bool {
	before := now - int64(stalledAfter)
	return pending(&x.readSince, before) || pending(&x.writeSince, before)
}

// ClientWaitingSince returns since when the server waits for the client, shm.Now; 0: it does
// not.
func (x *Exchange) ClientWaitingSince() int64 {
	_, since := x.waits()
	return since
}

// StalledOrEnded reports the same, also of an exchange that was ended for it and is not
// gone yet.
func (x *Exchange) StalledOrEnded(now int64) bool { return x.Stalled(now) || x.clientSlow.Load() }

// StalledLately reports whether the exchange is kept waiting, or was not longer ago than
// a time: of many that get a byte now and then, some have just got one at any moment.
func (x *Exchange) StalledLately(now int64, long time.Duration) bool {
	waited := x.waited.Load()
	return x.StalledOrEnded(now) || waited != 0 && now-waited < int64(long)
}

// Held reports who keeps the exchange waiting at the moment: the client, which takes nothing of the response, and the
// worker, which makes no room for the upload.
func (x *Exchange) Held() (byClient, byWorker bool) {
	return x.writeSince.Load() != 0, x.UploadBlocked()
}
