package relay

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
)

// fieldsOf makes the fields of lines, NAME: VALUE with | between them.
func fieldsOf(lines string) http.Header {
	fields := http.Header{}
	for line := range strings.SplitSeq(lines, "|") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			fields.Add(name, value)
		}
	}
	return fields
}

// clientFrom returns the client of a request from an address with fields as of fieldsOf,
// where 10.0.0.0/8 and fd00::/8 are trusted.
func clientFrom(remote, fields string) *clientInfo {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	s := &settings{Config: Config{Trust: conn.NewTrust(proxies, false)}}
	request := httptest.NewRequest("GET", "/", nil)
	request.RemoteAddr, request.Header = remote, fieldsOf(fields)
	i := s.clientInfo(s.Trust.NewClient(remote), nil, request, &protocol.Session{})
	return &i
}

func TestTheClientIsTheFirstThatNoTrustedProxyIs(t *testing.T) {
	for _, c := range []struct{ remote, fields, want string }{
		// nobody else is believed
		{"203.0.113.7:40001", "", "203.0.113.7:40001"},
		{"203.0.113.7:40001", "X-Forwarded-For: 6.6.6.6|Forwarded: for=6.6.6.6", "203.0.113.7:40001"},
		{"[2001:db8::1]:443", "", "[2001:db8::1]:443"},
		{"[::ffff:203.0.113.7]:1", "", "203.0.113.7:1"},
		{"[fe80::1%eth0]:1", "", "[fe80::1%eth0]:1"},
		{"@", "X-Forwarded-For: 6.6.6.6", ""},
		{conn.Nameless, "X-Forwarded-For: 6.6.6.6", ""},
		// as proxies write it
		{"10.0.0.1:80", "", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: 203.0.113.1", "203.0.113.1:0"},
		{"10.0.0.1:80", "X-Forwarded-For: 203.0.113.1:40001", "203.0.113.1:40001"},
		{"10.0.0.1:80", "X-Forwarded-For: 2001:db8::1", "[2001:db8::1]:0"},
		{"10.0.0.1:80", "X-Forwarded-For: [2001:db8::1]", "[2001:db8::1]:0"},
		{"10.0.0.1:80", "X-Forwarded-For: [2001:db8::1]:443", "[2001:db8::1]:443"},
		{"10.0.0.1:80", `X-Forwarded-For: "[2001:db8::1]:443"`, "[2001:db8::1]:443"},
		{"10.0.0.1:80", "X-Forwarded-For: 2001:DB8:0::1", "[2001:db8::1]:0"},
		{"10.0.0.1:80", "X-Forwarded-For: fe80::1%eth0", "[fe80::1]:0"},
		{"10.0.0.1:80", "X-Forwarded-For: [fe80::1%25eth0]:7", "[fe80::1]:7"},
		{"10.0.0.1:80", "X-Forwarded-For: ::ffff:203.0.113.1", "203.0.113.1:0"},
		{"10.0.0.1:80", "X-Forwarded-For: 203.0.113.1:_port", "203.0.113.1:0"},
		{"10.0.0.1:80", "X-Forwarded-For: \t203.0.113.1 ,, ", "203.0.113.1:0"},
		{"[fd00::1]:80", "X-Forwarded-For: , 203.0.113.1", "203.0.113.1:0"},
		// several proxies, several lines, and what the client has put in front
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6, 203.0.113.1, 10.0.0.2", "203.0.113.1:0"},
		{"10.0.0.1:80",
			"X-Forwarded-For: 6.6.6.6|X-Forwarded-For: 203.0.113.1:5, 10.0.0.2:6|X-Forwarded-For: [fd00::2]:7",
			"203.0.113.1:5"},
		{"10.0.0.1:80", "X-Forwarded-For: 10.0.0.3:8, 10.0.0.2:9", "10.0.0.3:8"},
		{"10.0.0.1:80", "X-Forwarded-For: 10.6.6.6, 203.0.113.1", "203.0.113.1:0"},
		// no address: the last one that is known
		{"10.0.0.1:80", "X-Forwarded-For:  ", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6, unknown", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6, _hidden, 10.0.0.2", "10.0.0.2:0"},
		{"10.0.0.1:80", "X-Forwarded-For: 6.6.6.6, unix:", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: 203.0.113.1:99999", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: 203.0.113.01", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: [2001:db8::1]443", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: [2001:db8::1", "10.0.0.1:80"},
		{"10.0.0.1:80", "X-Forwarded-For: example.org", "10.0.0.1:80"},
		// RFC 7239
		{"10.0.0.1:80", `Forwarded: for="[2001:db8:cafe::17]:4711"`, "[2001:db8:cafe::17]:4711"},
		{"10.0.0.1:80", `Forwarded: FOR=203.0.113.1;proto=http;by=10.0.0.1`, "203.0.113.1:0"},
		{"10.0.0.1:80", `Forwarded: for="203.0.113.1\:4\0"`, "203.0.113.1:40"},
		{"10.0.0.1:80", `Forwarded: for=203.0.113.1:40`, "203.0.113.1:40"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6, for=203.0.113.1|Forwarded: for=10.0.0.2`, "203.0.113.1:0"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6, for=unknown`, "10.0.0.1:80"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6, for=_hidden`, "10.0.0.1:80"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6, proto=https`, "10.0.0.1:80"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6;for=203.0.113.1`, "10.0.0.1:80"},
		// a client that wants the proxy's element to be part of its own
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6;x=", for=203.0.113.1`, "10.0.0.1:80"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6;x=", for="[2001:db8::1]:1"`, "10.0.0.1:80"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6;x=", for=203.0.113.1;host="a"`, "10.0.0.1:80"},
		{"10.0.0.1:80", `Forwarded: for=6.6.6.6;x="|Forwarded: for=203.0.113.1`, "203.0.113.1:0"},
		// both
		{"10.0.0.1:80", `X-Forwarded-For: 203.0.113.1|Forwarded: for=6.6.6.6`, "203.0.113.1:0"},
		{"10.0.0.1:80", `X-Forwarded-Proto: https|Forwarded: for=6.6.6.6`, "10.0.0.1:80"},
	} {
		i := clientFrom(c.remote, c.fields)
		if i.node != c.want {
			t.Errorf("%s with %s is taken for %q, want %q", c.remote, c.fields, i.node, c.want)
		}
		node, err := netip.ParseAddrPort(i.node)
		same := err == nil && i.address == node.Addr().String() && i.holder.Contains(node.Addr().WithZone(""))
		if i.node != "" && !same {
			t.Errorf("%s with %s: the client is %q, %v, and the node %q",
				c.remote, c.fields, i.address, i.holder, i.node)
		}
	}
}

func TestTheSchemeIsThatOfTheClient(t *testing.T) {
	for _, c := range []struct{ fields, scheme, host string }{
		{"", "http", ""},
		{"X-Forwarded-Proto: https", "https", ""},
		{"X-Forwarded-Proto: HTTPS", "https", ""},
		{"X-Forwarded-Proto: wss", "https", ""},
		{"X-Forwarded-Proto: WS", "http", ""},
		{"X-Forwarded-Proto: gopher", "http", ""},
		{"X-Forwarded-Proto:  ", "http", ""},
		{"X-Forwarded-Proto: http, https", "https", ""},
		{"X-Forwarded-Proto: http|X-Forwarded-Proto: https", "https", ""},
		{"X-Forwarded-Host: a, b", "http", "b"},
		{"X-Forwarded-For: 1.2.3.4|Forwarded: proto=https;host=evil", "http", ""},
		{"Forwarded: proto=wss;host=a", "https", "a"},
		{"Forwarded: for=6.6.6.6;proto=http;host=evil, for=1.2.3.4;proto=https;host=a", "https", "a"},
		{"Forwarded: for=1.2.3.4;proto=https;host=a, for=10.0.0.2;proto=http;host=inner", "https", "a"},
		{"Forwarded: for=1.2.3.4, for=10.0.0.2;proto=https", "https", ""},
		{`Forwarded: proto="https;for=1.2.3.4`, "http", ""},
	} {
		if i := clientFrom("10.0.0.1:80", c.fields); i.scheme != c.scheme || i.publicHost != c.host {
			t.Errorf("with %s: %s, host %q, want %s, %q", c.fields, i.scheme, i.publicHost, c.scheme, c.host)
		}
		var frame proto.Request
		request := httptest.NewRequest("GET", "/", nil)
		x := exchange{route: &Route{},
			request: request, client: *clientFrom("10.0.0.1:80", c.fields), handshake: new(websocket.Handshake),
		}
		if err := x.fillFrame(&frame); err != nil || frame.Scheme != strings.Replace(c.scheme, "http", "ws", 1) {
			t.Errorf("with %s a WebSocket has the scheme %s, %v", c.fields, frame.Scheme, err)
		}
	}
}

func TestTheListsThatWorkersGetDoNotContradictEachOther(t *testing.T) {
	for _, c := range []struct{ fields, list, forwarded string }{
		{"X-Forwarded-For: 6.6.6.6, 1.2.3.4", "6.6.6.6, 1.2.3.4, 10.0.0.1", "for=10.0.0.1"},
		{"X-Forwarded-For: 1.2.3.4|Forwarded: for=6.6.6.6", "1.2.3.4, 10.0.0.1", "for=10.0.0.1"},
		{"X-Forwarded-For: 1.2.3.4|Forwarded: for=1.2.3.4;by=x", "1.2.3.4, 10.0.0.1", "for=1.2.3.4;by=x, for=10.0.0.1"},
		{`Forwarded: for="a, b", for="[2001:db8::1]:7", for=_x, for=unknown`,
			"unknown, 2001:db8::1, _x, unknown, 10.0.0.1",
			`for="a, b", for="[2001:db8::1]:7", for=_x, for=unknown, for=10.0.0.1`},
	} {
		request := &http.Request{Header: fieldsOf(c.fields), Host: ""}
		i := clientFrom("10.0.0.1:80", c.fields)
		got := map[string]string{}
		for _, f := range i.appendFields(nil, request) {
			got[f.Name] = f.Value
		}
		list, own, _ := strings.Cut(got["forwarded"], ";proto=http")
		if got["x-forwarded-for"] != c.list || list != c.forwarded || own != "" {
			t.Errorf("%s becomes %s and %s", c.fields, got["x-forwarded-for"], got["forwarded"])
		}
	}
}
