package attach

import (
	"strconv"
	"strings"
	"syscall"
)

// The bells on which a worker can sleep.
const (
	BellFutex   = "futex"   // a futex word in the mailbox of its link
	BellEventfd = "eventfd" // an eventfd that comes with the welcome
)

const (
	// MaxLanes is the most requests that one link can serve at once.
	MaxLanes = 4096

	maxPoolName = 64
	maxLinkName = 128
	maxSDKName  = 64
)

// Hello is the first message of a worker: type "hello". The server answers it with a
// Welcome or a Refusal.
type Hello struct {
	LayoutMin  uint16 `msgpack:"layout_min"`  // oldest memory layout that the worker can use
	LayoutMax  uint16 `msgpack:"layout_max"`  // newest
	Features   uint64 `msgpack:"features"`    // bits of what else it can do, defined with the layout
	Pool       string `msgpack:"pool"`        // pool to serve, 1 to 64 of A-Z a-z 0-9 . _ -
	Name       string `msgpack:"name"`        // name for logs, 0 to 128 printable ASCII characters
	PID        uint32 `msgpack:"pid"`         // process id in the worker's own PID namespace
	SDK        string `msgpack:"sdk"`         // name of the SDK, such as "go", 0 to 64 printable ASCII characters
	SDKVersion string `msgpack:"sdk_version"` // version of that SDK, 0 to 64 printable ASCII characters
	Lanes      uint32 `msgpack:"lanes"`       // requests that the worker serves at once, 1 to 4096
	Bell       string `msgpack:"bell"`        // what the worker sleeps on: "futex" or "eventfd"

	// Stacks is the signal on which the process prints its stacks, and goes on; 0: on none.
	Stacks uint32 `msgpack:"stacks"`
}

// Type returns "hello".
func (*Hello) Type() string { return "hello" }

// Layouts returns the range of layouts that the worker can use.
func (h *Hello) Layouts() LayoutRange { return LayoutRange{Min: h.LayoutMin, Max: h.LayoutMax} }

// Validate checks the values of h against the limits that its fields name. The error
// is a *Refusal with CodeMalformed that names the key at fault, ready to be sent.
func (h *Hello) Validate() error {
	switch {
	case h.LayoutMin > h.LayoutMax:
		return refuse("layout_min",
			strconv.Itoa(int(h.LayoutMin))+" is above layout_max "+strconv.Itoa(int(h.LayoutMax)))
	case !validPool(h.Pool):
		return refuse("pool", quote(h.Pool)+" is not 1 to 64 of A-Z a-z 0-9 . _ -")
	case !printable(h.Name, maxLinkName):
		return refuse("name", quote(h.Name)+" is not 0 to 128 printable ASCII characters")
	case !printable(h.SDK, maxSDKName):
		return refuse("sdk", quote(h.SDK)+" is not 0 to 64 printable ASCII characters")
	case !printable(h.SDKVersion, maxSDKName):
		return refuse("sdk_version", quote(h.SDKVersion)+" is not 0 to 64 printable ASCII characters")
	case h.Lanes < 1 || h.Lanes > MaxLanes:
		return refuse("lanes", strconv.FormatUint(uint64(h.Lanes), 10)+" is not 1 to 4096")
	case h.Bell != BellFutex && h.Bell != BellEventfd:
		return refuse("bell", quote(h.Bell)+` is neither "futex" nor "eventfd"`)
	case !validStacks(h.Stacks):
		return refuse("stacks", strconv.FormatUint(uint64(h.Stacks), 10)+
			" is not 0, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH or a real-time signal")
	}
	return nil
}

// The real-time signals that programs may use: the C libraries keep 32 and 33.
const (
	minRealTime = 34
	maxRealTime = 64
)

// validStacks reports whether a signal may be the one on which a process prints its
// stacks: one that processes can handle, and that means nothing else to most of them.
func validStacks(signal uint32) bool {
	switch syscall.Signal(signal) {
	case 0, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH:
		return true
	}
	return signal >= minRealTime && signal <= maxRealTime
}

func refuse(key, what string) error {
	return &Refusal{Code: CodeMalformed, Message: "hello: " + key + ": " + what}
}

func validPool(s string) bool {
	for i := range len(s) {
		if !poolChar(s[i]) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxPoolName
}

func poolChar(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0
}

func printable(s string, most int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= most
}
