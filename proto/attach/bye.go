package attach

// Bye is the orderly end of a link, from either side: type "bye". The sender
// closes the socket after it. A socket that closes without one means that the
// peer died.
//
//	reason  string  for a person; may be empty
type Bye struct {
	Reason string
}

// Type returns "bye".
func (*Bye) Type() string { return "bye" }

func (b *Bye) keys() []key { return []key{{"reason", &b.Reason}} }
