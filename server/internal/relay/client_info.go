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

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// origin is where a request comes from, as far as it is believed: what the peer
// says of others counts if it is a proxy that we trust.
type origin struct {
	peer   *conn.Client // at the other end of the connection
	client string       // address of the client; empty: it has none
	node   string       // the same with the port, see proto.ClientField
	holder netip.Prefix // that the address belongs to, see conn.PrefixOf; the zero value: none
	scheme string       // by which the client came
	id     string       // of the request
	via    string
	altSvc string // where else this server can be reached; empty: nowhere

	hops       []string // a list of those before the peer, as a trusted one says
	publicHost string   // that the client has asked for, likewise; empty: not said
	disputed   bool     // the Forwarded field that came names another client than X-Forwarded-For does
}

// originOf finds out where a request comes from.
func (r *Relay) originOf(request *http.Request, s *protocol.Session) origin {
	c := conn.Of(request)
	o := origin{peer: c.Client(request.RemoteAddr, r.config.Trust), scheme: "http", via: s.Via()}
	o.client, o.node, o.holder = o.peer.Address, o.peer.Node, o.peer.Prefix
	if request.TLS != nil {
		o.scheme = "https"
	}
	if c != nil {
		o.altSvc = c.AltSvc
	}
	if o.peer.Trusted {
		o.believe(r.config.Trust, request.Header)
	}
	if o.id == "" {
		o.id = newRequestID()
	}
	return o
}

// believe takes over what a trusted proxy says. When there is one of X-Forwarded-For,
// -Proto and -Host, Forwarded does not count: a proxy that writes the former mostly
// passes the latter on as its client has sent it.
func (o *origin) believe(trust *conn.Trust, fields http.Header) {
	if id := fields.Get("X-Request-Id"); validID(id) {
		o.id = id
	}
	elements := header.ParseForwarded(fields["Forwarded"])
	if fields["X-Forwarded-For"] == nil && fields["X-Forwarded-Proto"] == nil && fields["X-Forwarded-Host"] == nil {
		o.hops = header.Nodes(elements)
		o.follow(trust, elements)
		return
	}
	o.hops = fields["X-Forwarded-For"]
	o.follow(trust, header.ParseForwardedFor(o.hops))
	o.scheme = cmp.Or(schemeOf(lastOf(fields["X-Forwarded-Proto"])), o.scheme)
	o.publicHost = lastOf(fields["X-Forwarded-Host"])
	if len(elements) > 0 {
		other := origin{peer: o.peer, client: o.peer.Address}
		other.follow(trust, elements)
		o.disputed = other.client != o.client
	}
}

// follow goes back along the hops of a request, the nearest of which the peer vouches for:
// each that we trust vouches for the one before it. The client is the first that we do not
// trust, or the last whose address is known.
func (o *origin) follow(trust *conn.Trust, hops []header.Hop) {
	for i := len(hops) - 1; i >= 0; i-- {
		hop := &hops[i]
		o.scheme, o.publicHost = cmp.Or(schemeOf(hop.Proto), o.scheme), cmp.Or(hop.Host, o.publicHost)
		node, ok := header.ParseNode(hop.Node)
		if !ok {
			return
		}
		o.client, o.node, o.holder = node.Addr().String(), node.String(), conn.PrefixOf(node.Addr())
		if !trust.Trusts(node.Addr()) {
			return
		}
	}
}

// schemeOf returns the scheme of HTTP that a proxy says, or nothing. Some call it by its
// name for WebSockets.
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

// validID reports whether an id is one that fits a log.
func validID(id string) bool {
	return id != "" && len(id) <= longestID && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

// newRequestID returns an id that no other request has.
func newRequestID() string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}

// appendClient adds the field that says who the client is, if it has an address.
func (o *origin) appendClient(fields []proto.Field) []proto.Field {
	if o.node == "" {
		return fields
	}
	return append(fields, proto.Field{Name: proto.ClientField, Value: o.node})
}

// appendFields adds what a worker is told of where the request comes from.
func (o *origin) appendFields(fields []proto.Field, r *http.Request) []proto.Field {
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, proto.Field{Name: name, Value: value})
		}
	}
	add("x-forwarded-for", joined(o.hops, o.peer.Address))
	add("x-forwarded-proto", o.scheme)
	add("x-forwarded-host", cmp.Or(o.publicHost, r.Host))
	add("forwarded", o.after(r.Header["Forwarded"], o.forwarded(r)))
	add("via", joined(r.Header["Via"], o.via))
	add("x-request-id", o.id)
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 { // RFC 9440 section 2.2
		add("client-cert", ":"+base64.StdEncoding.EncodeToString(r.TLS.PeerCertificates[0].Raw)+":")
	}
	return fields
}

// after returns a list with ours at its end, if the list is to be believed.
func (o *origin) after(values []string, own string) string {
	if !o.peer.Trusted || o.disputed {
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
func (o *origin) forwarded(r *http.Request) string {
	peer := o.peer.Address
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

// sign adds to a response what it says of the way it came.
func (o *origin) sign(header http.Header) {
	header["X-Request-Id"] = []string{o.id}
	if o.altSvc != "" && header["Alt-Svc"] == nil {
		header["Alt-Svc"] = []string{o.altSvc}
	}
}
