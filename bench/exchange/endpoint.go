package exchange

import (
	"strings"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/peers"
	"github.com/wavey-ai/upload-response/bench/role"
)

// endpoint is one of the servers that serve the same paths.
type endpoint struct {
	name        string
	limit       bool
	only        string            // the one case that it takes part in; empty: all
	substitute  string            // another case that it carries out instead
	raw         role.RawAddresses // not nil: bare TCP, not HTTP
	at          map[string]string // addresses, by protocol
	prefix      string
	server      []int // processes
	worker      []int
	allocations *role.AllocationCounter // nil: not one of ours
}

// target returns where a case goes, or false if the endpoint does not take part in it.
func (e *endpoint) target(caseName, protocol string) (t load.Target, ok bool) {
	if e.only != "" && e.only != caseName {
		return t, false
	}
	if e.raw != nil {
		t = load.Target{Protocol: load.Raw, Address: e.raw[e.actualCase(caseName)]}
		return t, protocol == load.H1 && t.Address != ""
	}
	t = load.Target{Protocol: protocol, Address: e.at[protocol], Prefix: e.prefix}
	return t, t.Address != ""
}

// actualCase returns the case that the endpoint carries out for another.
func (e *endpoint) actualCase(caseName string) string {
	if e.substitute != "" {
		return e.substitute
	}
	return caseName
}

// anyTarget returns where a small request can go.
func (e *endpoint) anyTarget() (t load.Target) {
	for _, protocol := range AllProtocols {
		if t, ok := e.target(load.CaseRequests, protocol); ok {
			return t
		}
	}
	return t
}

// endpointsOf makes an endpoint of the targets of each name.
func endpointsOf(targets []peers.Target) (list []*endpoint) {
	byName := map[string]*endpoint{}
	for _, t := range targets {
		e := byName[t.Name]
		if e == nil {
			e = &endpoint{name: t.Name, at: map[string]string{}, prefix: strings.TrimSuffix(t.Prefix, "/")}
			byName[t.Name] = e
			list = append(list, e)
		}
		for _, protocol := range t.Protocols {
			e.at[protocol] = t.Address
		}
		e.server, e.worker = append(e.server, t.Servers...), append(e.worker, t.Workers...)
	}
	return list
}
