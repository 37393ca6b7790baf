package dispatch

// Pulse returns how often the deadline loop has gone round. It takes the locks of the dispatcher, of the streams, and
// of every pool, one after the other: if one of them is stuck, it does not return.
func (d *Dispatcher) Pulse() uint64 {
	_ = d.openLinks()
	_ = d.StreamGauges()
	for _, p := range d.allPools() {
		_ = p.wasAttached()
	}
	return d.rounds.Load()
}
