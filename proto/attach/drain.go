package attach

// Drain asks a worker to take no more streams and to finish those it has: type
// "drain".
//
//	deadline_ms  uint  how long it has, milliseconds from now
type Drain struct {
	DeadlineMS uint64
}

// Type returns "drain".
func (*Drain) Type() string { return "drain" }

func (d *Drain) keys() []key { return []key{{"deadline_ms", &d.DeadlineMS}} }
