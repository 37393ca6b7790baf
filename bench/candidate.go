package bench

import (
	"github.com/wavey-ai/upload-response/bench/load"
)

// candidate is one of those that serve the same paths.
type candidate struct {
	name     string
	limit    bool
	beside   string       // the only case; empty: all
	does     string       // another case in the place of that one
	raw      rawAddresses // not nil: bare TCP, not HTTP
	at       addresses
	protocol string // the only one; empty: those that its addresses allow
	prefix   string
	server   []int // processes
	worker   []int
}

// target returns where a case goes, or false if the candidate does not do it.
func (c *candidate) target(caseName, protocol string) (t load.Target, ok bool) {
	t = load.Target{Protocol: protocol, Address: c.at.Clear, Prefix: c.prefix}
	if c.beside != "" && c.beside != caseName {
		return t, false
	}
	switch {
	case c.raw != nil:
		t.Protocol, t.Address = load.Raw, c.raw[c.instead(caseName)]
		return t, protocol == load.H1 && t.Address != ""
	case protocol == load.TLS || protocol == load.H2 || protocol == load.H3:
		t.Address = c.at.Secure
	}
	return t, t.Address != "" && (c.protocol == "" || c.protocol == protocol)
}

// instead returns the case that the candidate does in the place of another.
func (c *candidate) instead(caseName string) string {
	if c.does != "" {
		return c.does
	}
	return caseName
}
