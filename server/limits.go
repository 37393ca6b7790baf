package server

import "time"

// Limits bounds what clients can take of a [Server] before the router sees a request. Start
// from [DefaultLimits]; a zero field is not a default.
type Limits struct {
	// HeaderTime is how long a client may take for a handshake, and for the headers of a
	// request.
	HeaderTime time.Duration
	// IdleTime is how long a client may keep a connection without a request.
	IdleTime time.Duration
	// ConnsPerAddress is the most connections from one address, an IPv6 network of 64 bits
	// counting as one; 0 is no limit. Trusted proxies and Unix sockets have none.
	ConnsPerAddress int
	// StreamsPerConn is the most requests at once on a connection of HTTP/2 or HTTP/3.
	StreamsPerConn int
	// ProxyProtocol lets the connections of trusted proxies begin with a PROXY header, of
	// version 1 or 2, that names the client. Such a proxy has to write one on each connection,
	// or its clients can. When a header names another trusted proxy, the server believes the
	// fields of that one; when it names nobody, the server believes no field.
	ProxyProtocol bool
	// AltSvc is what responses over TLS say of HTTP/3 (RFC 7838). Empty is the port of the
	// connection, if this server has HTTP/3 on the UDP port of the same number; a number is
	// the port at which clients reach HTTP/3, such as the outer one of a port that is
	// forwarded; [AltSvcOff] is nothing. Any other text is the value of the field, as it is,
	// whether this server has HTTP/3 or not. An Alt-Svc field of a worker always wins.
	AltSvc string
}

// AltSvcOff is the AltSvc of [Limits] with which no response has the field.
const AltSvcOff = "off"

// DefaultLimits returns limits that suit most servers.
func DefaultLimits() Limits {
	return Limits{HeaderTime: 30 * time.Second, IdleTime: 2 * time.Minute, ConnsPerAddress: 1000, StreamsPerConn: 100}
}
