package attach

// The codes of a Refusal. A reader must expect codes that it does not know.
const (
	CodeLayout    = "layout"    // no memory layout in common
	CodeDenied    = "denied"    // the peer's user or group may not attach
	CodePool      = "pool"      // no such pool
	CodeFull      = "full"      // the server has no room for another link
	CodeMalformed = "malformed" // the peer sent something that makes no sense
	CodeDraining  = "draining"  // the server is about to end
	CodeEvicted   = "evicted"   // the link broke the rules of the memory
)

// Refusal ends a link, or refuses to open one, and says why: type "error". The server
// sends it and closes the socket. It is an error.
type Refusal struct {
	Code      string `msgpack:"code"`       // one of the Code constants
	Message   string `msgpack:"message"`    // for a person
	LayoutMin uint16 `msgpack:"layout_min"` // oldest memory layout that the server speaks
	LayoutMax uint16 `msgpack:"layout_max"` // newest; both are 0 if the code is not "layout"
}

// Type returns "error".
func (*Refusal) Type() string { return "error" }

func (r *Refusal) Error() string {
	return "refused (" + r.Code + "): " + r.Message
}
