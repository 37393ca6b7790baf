package relay

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// clientInfo is who sent a request, and how, as far as the server believes it: what the peer
// says of others counts if the peer is a trusted proxy.
type clientInfo struct {
	peer    *conn.Client // at the other end of the connection
	address string       // of the client; empty: none
	node    string       // the same with the port, see proto.ClientField
	holder  netip.Prefix // that has the address, see conn.PrefixOf; the zero value: none
	scheme  string       // by which the client came
	id      string       // of the request
	via     string
	altSvc  string       // where else clients can reach this server; empty: nowhere
	leaving *atomic.Bool // connections are to end after their response, see [Relay.Leave]; nil: they are not

	hops       []string // a list of those before the peer, as a trusted one says
	publicHost string   // that the client has asked for, likewise; empty: not said
	disputed   bool     // the Forwarded field names another client than X-Forwarded-For does
}

// clientInfo finds out who sent a request that came in from a peer. C is nil if the
// connection is not ours.
func (s *settings) clientInfo(peer *conn.Client, c *conn.Conn, request *http.Request, p *protocol.Session) clientInfo {
	i := clientInfo{
		peer: peer, address: peer.Address, node: peer.Node, holder: peer.Prefix, scheme: "http", via: p.Via(),
	}
	if request.TLS != nil {
		i.scheme = "https"
	}
	if c != nil {
		i.altSvc = c.AltSvc
	}
	if peer.Trusted {
		i.applyForwarded(s.Trust, request.Header)
	}
	if i.id == "" {
		i.id = newRequestID()
	}
	return i
}

// applyForwarded takes over what a trusted proxy says. When there is an X-Forwarded-For,
// -Proto or -Host, Forwarded does not count: a proxy that writes the former mostly passes
// the latter on as the client has sent it.
func (i *clientInfo) applyForwarded(trust *conn.Trust, fields http.Header) {
	if id := fields.Get("X-Request-Id"); validID(id) {
		i.id = id
	}
	elements := header.ParseForwarded(fields["Forwarded"])
	if fields["X-Forwarded-For"] == nil && fields["X-Forwarded-Proto"] == nil && fields["X-Forwarded-Host"] == nil {
		i.hops = header.Nodes(elements)
		i.follow(trust, elements)
		return
	}
	i.hops = fields["X-Forwarded-For"]
	i.follow(trust, header.ParseForwardedFor(i.hops))
	i.scheme = cmp.Or(schemeOf(lastOf(fields["X-Forwarded-Proto"])), i.scheme)
	i.publicHost = lastOf(fields["X-Forwarded-Host"])
	if len(elements) > 0 {
		other := clientInfo{peer: i.peer, address: i.peer.Address}
		other.follow(trust, elements)
		i.disputed = other.address != i.address
	}
}

// follow goes back along the hops of a request, the nearest of which the peer vouches for:
// each that we trust vouches for the one before it. The client is the first that we do not
// trust, or the last with a known address.
func (i *clientInfo) follow(trust *conn.Trust, hops []header.Hop) {
	for at := len(hops) - 1; at >= 0; at-- {
		hop := &hops[at]
		i.scheme, i.publicHost = cmp.Or(schemeOf(hop.Proto), i.scheme), cmp.Or(hop.Host, i.publicHost)
		node, ok := header.ParseNode(hop.Node)
		if !ok {
			return
		}
		i.address, i.node, i.holder = node.Addr().String(), node.String(), conn.PrefixOf(node.Addr())
		if !trust.Trusts(node.Addr()) {
			return
		}
	}
}

// schemeOf returns the scheme of HTTP that a proxy names, or nothing. Some use the name that
// it has for WebSockets.
func schemeOf(said string) string {
	switch strings.ToLower(said) {
	case "http", "ws":
		return "http"
	case "https", "wss":
		return "https"
	}
	return ""
}

// lastOf returns the last element of a list in one or several fields.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// longestID bounds an id that we take over, and write to the log.
const longestID = 128

// validID reports whether an id fits a log.
func validID(id string) bool {
	return id != "" && len(id) <= longestID &&
		!strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

// newRequestID returns an id that no other request has.
func newRequestID() string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}

// hostOf returns the host that the request names.
func (i *clientInfo) hostOf(r *http.Request) string { return cmp.Or(i.publicHost, r.Host) }

// appendNode adds the field that says who the client is, if it has an address.
func (i *clientInfo) appendNode(fields []proto.Field) []proto.Field {
	if i.node == "" {
		return fields
	}
	return append(fields, proto.Field{Name: proto.ClientField, Value: i.node})
}

// appendFields adds the fields that tell a worker who sent the request, and how.
func (i *clientInfo) appendFields(fields []proto.Field, r *http.Request) []proto.Field {
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, proto.Field{Name: name, Value: value})
		}
	}
	add("x-forwarded-for", joined(i.hops, i.peer.Address))
	add("x-forwarded-proto", i.scheme)
	add("x-forwarded-host", i.hostOf(r))
	add("forwarded", i.after(r.Header["Forwarded"], i.forwarded(r)))
	add("via", joined(r.Header["Via"], i.via))
	add("x-request-id", i.id)
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 { // RFC 9440 section 2.2
		add("client-cert", ":"+base64.StdEncoding.EncodeToString(r.TLS.PeerCertificates[0].Raw)+":")
	}
	return fields
}

// after returns a list with our element at the end; the element alone, if nobody vouches for
// the list.
func (i *clientInfo) after(values []string, own string) string {
	if !i.peer.Trusted || i.disputed {
		return own
	}
	return joined(values, own)
}

// joined returns the elements of a list in several fields, and one more.
func joined(values []string, own string) string {
	if len(values) == 0 {
		return own
	}
	all := strings.Join(values, ", ")
	if own == "" || all == "" {
		return all + own
	}
	return all + ", " + own
}

// forwarded returns our element of the Forwarded field (RFC 7239 section 4).
func (i *clientInfo) forwarded(r *http.Request) string {
	peer := i.peer.Address
	switch {
	case peer == "":
		peer = "unknown"
	case strings.Contains(peer, ":"):
		peer = `"[` + peer + `]"`
	}
	element := "for=" + peer
	if r.Host != "" {
		element += `;host="` + quoted.Replace(r.Host) + `"`
	}
	if r.TLS != nil {
		return element + ";proto=https"
	}
	return element + ";proto=http"
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// setResponseFields sets the fields of a response that say how it came.
func (i *clientInfo) setResponseFields(header http.Header) {
	header["X-Request-Id"] = []string{i.id}
	if i.altSvc != "" && header["Alt-Svc"] == nil {
		header["Alt-Svc"] = []string{i.altSvc}
	}
	if i.leaving != nil && i.leaving.Load() {
		header["Connection"] = []string{"close"} // HTTP/2: net/http sends GOAWAY
	}
}
