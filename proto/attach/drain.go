package attach

// Drain asks a worker to take no more streams and to finish those it has: type
// "drain". From a worker it asks the server to assign no more.
type Drain struct {
	DeadlineMS uint64 `msgpack:"deadline_ms"` // time to finish, in milliseconds from now; 0 if there is no limit
}

// Type returns "drain".
func (*Drain) Type() string { return "drain" }
