package role

import "github.com/wavey-ai/upload-response/bench/load"

// Addresses is where a process of ours listens.
type Addresses struct {
	Clear  string `json:"clear"`  // HTTP/1.1 and 2
	Secure string `json:"secure"` // the same over TLS, and HTTP/3
}

// ByProtocol returns the address for each protocol.
func (a Addresses) ByProtocol() map[string]string {
	return map[string]string{
		load.H1: a.Clear, load.H2C: a.Clear, load.TLS: a.Secure, load.H2: a.Secure, load.H3: a.Secure,
	}
}

// RawAddresses is where the servers of bare TCP listen, by case.
type RawAddresses map[string]string
