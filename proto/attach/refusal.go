package attach

// The codes of a Refusal. A reader must be ready for one it does not know.
const (
	CodeLayout    = "layout"    // no memory layout in common
	CodeDenied    = "denied"    // the peer's user or group may not attach
	CodePool      = "pool"      // no such pool
	CodeFull      = "full"      // the server has no room for another link
	CodeMalformed = "malformed" // what the peer sent makes no sense
	CodeDraining  = "draining"  // the server is about to end
	CodeEvicted   = "evicted"   // the link broke the rules of the memory
)

// Refusal ends a link, or keeps it from coming about, and says why: type
// "error". The server sends it and closes the socket. It is an error.
//
//	code        string  one of the Code constants
//	message     string  for a person
//	layout_min  uint    oldest memory layout that the server speaks
//	layout_max  uint    newest; both 0 if the code is not "layout"
type Refusal struct {
	Code                 string
	Message              string
	LayoutMin, LayoutMax uint16
}

// Type returns "error".
func (*Refusal) Type() string { return "error" }

func (r *Refusal) keys() []key {
	return []key{
		{"code", &r.Code},
		{"message", &r.Message},
		{"layout_min", &r.LayoutMin},
		{"layout_max", &r.LayoutMax},
	}
}

func (r *Refusal) Error() string {
	return "refused (" + r.Code + "): " + r.Message
}
