package attach

// Bye ends a link in good order, from either side: type "bye". The sender closes the
// socket after it. A socket that closes without one means that the peer died.
type Bye struct {
	Reason string `msgpack:"reason"` // for a person; may be empty
}

// Type returns "bye".
func (*Bye) Type() string { return "bye" }
