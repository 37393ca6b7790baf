package h3_test

// parameter is a transport parameter (RFC 9000 section 18).
type parameter struct {
	id    uint64
	value []byte
}

// manners is how a client of QUIC behaves: the zero value keeps the rules.
type manners struct {
	parameters func([]parameter) []parameter
	alpn       string                     // empty: h3
	hello      func(hello []byte) []byte  // what becomes of the ClientHello
	finished   func(crypto []byte) []byte // and of the Finished message
	handshake  []byte                     // more frames, beside that
	bits       byte                       // for the first byte of packets of the Handshake
	frames     []byte                     // of the first packet after it; nil: a PING
	shortBits  byte                       // for its first byte
}
