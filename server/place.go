package server

// hasAccepted reports whether the worker has accepted the stream, or was seen to have.
func (at *place) hasAccepted(id uint64) bool {
	if !at.lane.Accepted(id) {
		return at.accepted.Load()
	}
	if !at.accepted.Load() {
		at.accepted.Store(true)
	}
	return true
}

// tookBack reports whether the worker says that it has not accepted the stream, and
// was seen to have.
func (at *place) tookBack(id uint64) bool { return at.hasAccepted(id) && !at.lane.Accepted(id) }

// hasLetGo reports whether the worker has let go of the stream (K2). It counts only
// when the worker has taken the entry. Before that, what it let go of was an earlier
// entry of the same stream on this lane; and when it has, that word is gone: there was
// another entry of the lane in between (see freeLane), of which it let go before it
// took this one. So the second look at the lane comes after that at the inbox.
func (at *place) hasLetGo(id uint64) bool {
	return at.lane.HasLetGo(id) && at.link.end.Inbox.Took(at.entry) && at.lane.HasLetGo(id)
}

// passedOver reports whether the worker has taken the entry just when the server wanted
// it back, and has let go of the stream without having accepted it. Nothing else that
// it lets go of is as good as never assigned.
func (at *place) passedOver(id uint64) bool {
	return at.tooLate.Load() && at.hasLetGo(id) && !at.hasAccepted(id) // in this order: it accepts first
}
