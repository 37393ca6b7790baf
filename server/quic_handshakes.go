package server

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// handshakes bounds what clients of HTTP/3 can make the server keep before they have
// shown that their address is theirs. The source of a UDP packet is whatever its sender
// writes: until the handshake has ended, nothing counts against the connections of an
// address.
//
//	unverified: the address may be anybody's. At most mostUnverified; those beyond it are
//	            asked for a token first (Retry, RFC 9000 section 8.1.2), which keeps no state.
//	verified:   a token shows that somebody received packets at the address within tokenAge.
//	            At most mostVerified, and mostVerifiedPerAddress for each address: a token
//	            can be used more than once.
type handshakes struct {
	mu         sync.Mutex
	unverified int
	verified   int
	addresses  map[netip.Prefix]int // of the verified
}

// Each handshake takes 40 to 100 KiB, for at most the header time. With a round trip of
// 100 ms, 128 of them are 1,280 new connections a second; under a flood new connections
// take one round trip more.
const (
	mostUnverified         = 128
	mostVerified           = 1024
	mostVerifiedPerAddress = 128
)

// full reports whether a client without a token has to get one first.
func (h *handshakes) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unverified >= mostUnverified
}

// enter counts a handshake in. Release: the returned function, which can be called more
// than once.
func (h *handshakes) enter(addr netip.Addr, verified bool) (leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !verified {
		h.unverified++ // full has been asked, by the same goroutine
		return sync.OnceFunc(h.leaveUnverified), true
	}
	key := conn.PrefixOf(addr)
	if h.verified >= mostVerified || h.addresses[key] >= mostVerifiedPerAddress {
		return nil, false
	}
	if h.addresses == nil {
		h.addresses = map[netip.Prefix]int{}
	}
	h.verified++
	h.addresses[key]++
	return sync.OnceFunc(func() { h.leaveVerified(key) }), true
}

func (h *handshakes) leaveUnverified() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unverified--
}

func (h *handshakes) leaveVerified(key netip.Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.verified--
	if h.addresses[key]--; h.addresses[key] == 0 {
		delete(h.addresses, key)
	}
}

// quicKey is the key of a connection's quicConn in its context.
type quicKey struct{}

// quicConn is what is counted of a connection of HTTP/3.
type quicConn struct {
	leave  func() // see handshakes.enter
	holder netip.Prefix
	budget *windowBudget

	mu    sync.Mutex
	grown int64 // of the budget, by its window; negative: it has ended
}

// growQUIC is for quic.Config's AllowConnectionWindowIncrease: windows may grow into half
// of the budget. A window that has grown stays, until the connection ends.
func growQUIC(conn *quic.Conn, more uint64) bool {
	c, ok := conn.Context().Value(quicKey{}).(*quicConn)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grown < 0 || !c.budget.take(c.holder, int64(more), c.budget.total/2) {
		return false
	}
	c.grown += int64(more)
	return true
}

// end gives back what the connection has taken.
func (c *quicConn) end() {
	c.leave()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget.give(c.holder, c.grown)
	c.grown = -1
}

// beginQUIC is for quic.Transport's ConnContext. It refuses the connections of an address
// that has as many as it may, and handshakes beyond their bound.
func (s *Server) beginQUIC(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	peer, err := netip.ParseAddrPort(info.RemoteAddr.String())
	if err != nil {
		return nil, err
	}
	addr := peer.Addr().Unmap()
	var counted netip.Prefix
	if !s.router.trust.Trusts(addr) {
		counted = conn.PrefixOf(addr)
	}
	if s.count.Full(counted) {
		return nil, conn.ErrTooMany
	}
	leave, ok := s.handshakes.enter(addr, info.AddrVerified)
	if !ok {
		return nil, conn.ErrTooMany
	}
	c := &quicConn{leave: leave, holder: counted, budget: &s.router.windows}
	context.AfterFunc(ctx, c.end)
	return context.WithValue(ctx, quicKey{}, c), nil
}

// verifyQUIC is for quic.Transport's VerifySourceAddress.
func (s *Server) verifyQUIC(net.Addr) bool { return s.handshakes.full() }

// countQUIC counts a connection against its address once the handshake has ended: then
// the client has received what was sent there. A client that migrates later (RFC 9000
// section 9) remains counted at the address of its handshake.
func (s *Server) countQUIC(q *quic.Conn, client *conn.Client) {
	select {
	case <-q.HandshakeComplete():
	case <-q.Context().Done():
		return
	}
	if c, ok := q.Context().Value(quicKey{}).(*quicConn); ok {
		c.leave()
	}
	release, ok := s.count.Enter(client.Counted())
	if !ok {
		_ = q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), conn.ErrTooMany.Error())
		return
	}
	context.AfterFunc(q.Context(), release)
}
