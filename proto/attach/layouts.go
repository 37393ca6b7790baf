package attach

import "strconv"

// LayoutRange is a range of versions of the memory layout, both ends included.
type LayoutRange struct{ Min, Max uint16 }

// String returns "2-4", or "3" for a range of one.
func (r LayoutRange) String() string {
	if r.Min == r.Max {
		return strconv.Itoa(int(r.Min))
	}
	return strconv.Itoa(int(r.Min)) + "-" + strconv.Itoa(int(r.Max))
}

// Negotiate returns the newest layout that both sides speak. If there is none, the
// error is a *Refusal with CodeLayout that names both ranges, ready to be sent.
func Negotiate(server, sdk LayoutRange) (uint16, error) {
	low, high := max(server.Min, sdk.Min), min(server.Max, sdk.Max)
	if low > high {
		return 0, &Refusal{
			Code:      CodeLayout,
			Message:   "server speaks layout " + server.String() + ", this SDK " + sdk.String(),
			LayoutMin: server.Min,
			LayoutMax: server.Max,
		}
	}
	return high, nil
}
