package bench

import (
	"strings"

	"github.com/wavey-ai/upload-response/bench/load"
)

// candidate is one of those that serve the same paths.
type candidate struct {
	name   string
	limit  bool
	beside string            // the only case; empty: all
	does   string            // another case in the place of that one
	raw    rawAddresses      // not nil: bare TCP, not HTTP
	at     map[string]string // addresses, by the protocol
	prefix string
	server []int // processes
	worker []int
	heap   *allocationCounter // nil: not one of ours
}

// byProtocol says what can be spoken where.
func (a addresses) byProtocol() map[string]string {
	return map[string]string{load.H1: a.Clear, load.H2C: a.Clear, load.TLS: a.Secure, load.H2: a.Secure, load.H3: a.Secure}
}

// target returns where a case goes, or false if the candidate does not do it.
func (c *candidate) target(caseName, protocol string) (t load.Target, ok bool) {
	if c.beside != "" && c.beside != caseName {
		return t, false
	}
	if c.raw != nil {
		t = load.Target{Protocol: load.Raw, Address: c.raw[c.instead(caseName)]}
		return t, protocol == load.H1 && t.Address != ""
	}
	t = load.Target{Protocol: protocol, Address: c.at[protocol], Prefix: c.prefix}
	return t, t.Address != ""
}

// instead returns the case that the candidate does in the place of another.
func (c *candidate) instead(caseName string) string {
	if c.does != "" {
		return c.does
	}
	return caseName
}

// anyTarget returns where a small request can go.
func (c *candidate) anyTarget() (t load.Target) {
	for _, protocol := range AllProtocols {
		if t, ok := c.target(load.CaseRequests, protocol); ok {
			return t
		}
	}
	return t
}

// candidatesOf makes a candidate of the targets of each name.
func candidatesOf(targets []Target) (list []*candidate) {
	byName := map[string]*candidate{}
	for _, t := range targets {
		c := byName[t.Name]
		if c == nil {
			c = &candidate{name: t.Name, at: map[string]string{}, prefix: strings.TrimSuffix(t.Prefix, "/")}
			byName[t.Name] = c
			list = append(list, c)
		}
		for _, protocol := range t.Protocols {
			c.at[protocol] = t.Address
		}
		c.server, c.worker = append(c.server, t.Servers...), append(c.worker, t.Workers...)
	}
	return list
}
