package http3

import (
	"net"

	"github.com/quic-go/quic-go"
)

// idSource is a UDP socket that says how the ids of its connections look, see SharedUDP of
// package listen.
type idSource interface {
	NewConnectionID() []byte
	ConnectionIDLength() int
}

// idGenerator is that of the socket, for package quic-go.
type idGenerator struct{ source idSource }

// newIDGenerator returns nil for a socket that leaves the ids to package quic-go.
func newIDGenerator(packets net.PacketConn) quic.ConnectionIDGenerator {
	if source, ok := packets.(idSource); ok {
		return idGenerator{source}
	}
	return nil
}

// GenerateConnectionID is for [quic.ConnectionIDGenerator].
func (g idGenerator) GenerateConnectionID() (quic.ConnectionID, error) {
	return quic.ConnectionIDFromBytes(g.source.NewConnectionID()), nil
}

// ConnectionIDLen is for [quic.ConnectionIDGenerator].
func (g idGenerator) ConnectionIDLen() int { return g.source.ConnectionIDLength() }
