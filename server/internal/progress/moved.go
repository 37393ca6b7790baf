package progress

// Moved is how many bytes of bodies have moved in an exchange.
type Moved struct{ Received, Sent int64 }

// CountMoved returns what has moved since the last call, or since Attach: who counts bytes need not wait for the end
// of a long exchange. Between exchanges that is nothing.
func (x *Exchange) CountMoved() (m Moved) {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.controller == nil {
		return m
	}
	now := Moved{Received: x.Received(), Sent: int64(x.taken.Load())}
	m = Moved{Received: now.Received - d.counted.Received, Sent: now.Sent - d.counted.Sent}
	d.counted = now
	return m
}

// Counted returns how much CountMoved has returned of the exchange. Preconditions: Detach was called.
func (x *Exchange) Counted() Moved { return x.deadlines.counted }
