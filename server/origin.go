package server

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
)

// origin is where a request comes from, as far as it is believed: what the peer
// says of others counts if it is a proxy that we trust.
type origin struct {
	peer    string       // address at the other end of the connection; empty: a Unix socket
	trusted bool         // the peer is
	client  string       // address of the client
	holder  netip.Prefix // that the address belongs to, see holderOf; the zero value: none
	scheme  string       // by which the client came
	id      string       // of the request
	via     string
	altSvc  string // where else this server can be reached; empty: nowhere

	hops       []string // a list of those before the peer, as a trusted one says
	publicHost string   // that the client has asked for, likewise; empty: not said
}

// originOf finds out where a request comes from.
func (r *UploadResponseRouter) originOf(request *http.Request, d *dialect) origin {
	o := origin{scheme: "http", via: d.via()}
	if request.TLS != nil {
		o.scheme = "https"
	}
	if peer, err := netip.ParseAddrPort(request.RemoteAddr); err == nil {
		addr := peer.Addr().Unmap()
		o.peer, o.holder, o.trusted = addr.String(), holderOf(addr), r.config.trusts(addr)
	} else {
		o.trusted = r.config.TrustUnix
	}
	o.client = o.peer
	if conn := connOf(request); conn != nil {
		o.altSvc = conn.altSvc
	}
	if o.trusted {
		o.believe(&r.config, request.Header)
	}
	if o.id == "" {
		o.id = newRequestID()
	}
	return o
}

// trusts reports whether an address is that of a proxy that we trust.
func (c *Config) trusts(addr netip.Addr) bool {
	for _, prefix := range c.TrustedProxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// believe takes over what a trusted proxy says. X-Forwarded-* fields count before
// Forwarded, which it may only have passed on.
func (o *origin) believe(c *Config, header http.Header) {
	elements := parseForwarded(header["Forwarded"])
	var nearest forwarded
	if len(elements) > 0 {
		nearest = elements[len(elements)-1]
	}
	if scheme := strings.ToLower(cmp.Or(lastOf(header["X-Forwarded-Proto"]), nearest.proto)); scheme == "http" || scheme == "https" {
		o.scheme = scheme
	}
	o.publicHost = cmp.Or(lastOf(header["X-Forwarded-Host"]), nearest.host)
	if id := header.Get("X-Request-Id"); validID(id) {
		o.id = id
	}
	if o.hops = header["X-Forwarded-For"]; len(o.hops) == 0 {
		o.hops = nodesOf(elements)
	}
	hops := strings.Split(strings.Join(o.hops, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- { // each hop vouches for the one before it
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return
		}
		o.client, o.holder = addr.Unmap().String(), holderOf(addr.Unmap())
		if !c.trusts(addr.Unmap()) {
			return
		}
	}
}

// nodesOf returns the nodes of the elements that name one, if there is no comma in any
// of them.
func nodesOf(elements []forwarded) (nodes []string) {
	for _, f := range elements {
		if strings.Contains(f.node, ",") {
			return nil
		}
		if f.node != "" {
			nodes = append(nodes, f.node)
		}
	}
	return nodes
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

// appendFields adds what a worker is told of where the request comes from.
func (o *origin) appendFields(fields []proto.Field, r *http.Request) []proto.Field {
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, proto.Field{Name: name, Value: value})
		}
	}
	add("x-forwarded-for", joined(o.hops, o.peer))
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
	if !o.trusted {
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
	peer := o.peer
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
