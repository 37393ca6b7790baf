package http3

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// claimKey is the key of a connection's claim in its context.
type claimKey struct{}

// claim is the part of the bounded resources that a connection holds.
type claim struct {
	leave  func() // see handshakes.enter
	client netip.Prefix
	budget *conn.Budget

	mu    sync.Mutex
	grown int64 // of the budget, by its window; negative: the connection has ended
}

// admit is for quic.Transport's ConnContext. It refuses the connections of an address that
// has as many as it may, and handshakes beyond their bound.
func (s *Server) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	peer, err := netip.ParseAddrPort(info.RemoteAddr.String())
	if err != nil {
		return nil, err
	}
	addr := peer.Addr().Unmap()
	prefix := conn.PrefixOf(addr)
	var counted netip.Prefix
	if !s.config.Trust.Trusts(addr) {
		counted = prefix
	}
	if s.config.Addresses.Full(counted) {
		return nil, conn.ErrTooMany
	}
	leave, ok := s.handshakes.enter(prefix, info.AddrVerified)
	if !ok {
		return nil, conn.ErrTooMany
	}
	c := &claim{leave: leave, client: counted, budget: s.config.Budget}
	context.AfterFunc(ctx, c.end)
	return context.WithValue(ctx, claimKey{}, c), nil
}

// asksForToken is for quic.Transport's VerifySourceAddress.
func (s *Server) asksForToken(net.Addr) bool { return s.handshakes.full() }

// growWindow is for quic.Config's AllowConnectionWindowIncrease: windows may grow into half
// of the budget. A window that has grown stays so until the connection ends.
func growWindow(q *quic.Conn, more uint64) bool {
	c, ok := q.Context().Value(claimKey{}).(*claim)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grown < 0 || !c.budget.TakeOfHalf(c.client, int64(more)) {
		return false
	}
	c.grown += int64(more)
	return true
}

// end gives back what the connection has taken.
func (c *claim) end() {
	c.leave()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget.Give(c.client, c.grown)
	c.grown = -1
}

// count counts a connection against its address once the handshake has ended: then the
// client has received what was sent there. A client that migrates later (RFC 9000 section
// 9) remains counted at the address of its handshake.
func (s *Server) count(q *quic.Conn, client *conn.Client) {
	select {
	case <-q.HandshakeComplete():
	case <-q.Context().Done():
		return
	}
	if c, ok := q.Context().Value(claimKey{}).(*claim); ok {
		c.leave()
	}
	release, ok := s.config.Addresses.Enter(client.Counted())
	if !ok {
		_ = q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), conn.ErrTooMany.Error())
		return
	}
	context.AfterFunc(q.Context(), release)
}
