package hostile_test

import (
	"fmt"
	"strings"
)

// fields returns rows about how fields are written (RFC 9112 section 5, RFC 9110
// section 5), and about those of one connection only (RFC 9110 section 7.6.1).
func fields() []row {
	return []row{
		{name: "a field without a colon", send: get("X-A\r\n"), want: refused(400), why: whyName},
		{name: "a field without a name", send: get(": b\r\n"), want: refused(400)},
		{name: "a field that is a colon", send: get(":\r\n"), want: refused(400)},
		{name: "a space before the colon", send: get("X-A : b\r\n"), want: refused(400)},
		{name: "a tab before the colon", send: get("X-A\t: b\r\n"), want: refused(400)},
		{name: "a space in a name", send: get("X A: b\r\n"), want: refused(400)},
		{name: "a name with parentheses", send: get("X(A): b\r\n"), want: refused(400), why: whyName},
		{name: "a name with a slash", send: get("X/A: b\r\n"), want: refused(400), why: whyName},
		{name: "a name with quotes", send: get("\"X\": b\r\n"), want: refused(400), why: whyName},
		{name: "a name with NUL", send: get("X\x00A: b\r\n"), want: refused(400)},
		{name: "a name with a control character", send: get("X\x01A: b\r\n"), want: refused(400)},
		{name: "a name with DEL", send: get("X\x7fA: b\r\n"), want: refused(400)},
		{name: "a name with letters of no ASCII", send: get("X\xc3\xa9: b\r\n"), want: refused(400), why: whyName},
		{name: "a name with a carriage return", send: get("X\rA: b\r\n"), want: refused(400)},
		{name: "a name of HTTP/2", send: get(":path: /other\r\n"), want: refused(400)},
		{name: "a name with all that a token may have", send: get("A!#$%&'*+-.^`|~9: b\r\n"), want: served,
			field: "A!#$%&'*+-.^`|~9: b"},
		{name: "a name with an underscore", send: get("X_A: b\r\n"), want: served, field: "X_a: b"},
		{name: "a name of framing with an underscore", send: get("Content_Length: 43\r\n"), want: served},

		{name: "an empty value", send: get("X-A:\r\n"), want: served, field: "X-A: "},
		{name: "a value with tabs and letters of no ASCII", send: get("X-A: \tb\tc\xc3\xa9\xff \r\n"), want: served,
			field: "X-A: b\tc\xc3\xa9\xff"},
		{name: "a value with NUL", send: get("X-A: b\x00c\r\n"), want: refused(400)},
		{name: "a value with a control character", send: get("X-A: b\x01c\r\n"), want: refused(400), why: whyValue},
		{name: "a value with a vertical tab", send: get("X-A: b\x0bc\r\n"), want: refused(400), why: whyValue},
		{name: "a value with DEL", send: get("X-A: b\x7fc\r\n"), want: refused(400), why: whyValue},
		{name: "a value with an escape character", send: get("X-A: \x1b[31m\r\n"), want: refused(400), why: whyValue},
		{name: "a value with a carriage return", send: get("X-A: b\rc\r\n"), want: refused(400)},
		{name: "a value that ends in two carriage returns", send: get("X-A: b\r\r\n"),
			want: refused(400), why: whyValue},
		{name: "a length behind a carriage return", send: post("X-A: b\rContent-Length: 43\r\n", evil),
			want: refused(400)},
		{name: "a length behind a line feed", send: post("X-A: b\nContent-Length: 43\r\n", evil), want: refused(400),
			why: whyLineFeed},
		{name: "a value of 30 KB", send: get("X-A: " + strings.Repeat("b", 30_000) + "\r\n"), want: served,
			field: "X-A: " + strings.Repeat("b", 30_000), why: whyLimit},

		{name: "lines that end in line feeds", send: "GET /{id} HTTP/1.1\nHost: test\nX-A: b\n\n", want: refused(400),
			why: whyLineFeed},
		{name: "lines that end in carriage returns", send: "GET /{id} HTTP/1.1\rHost: test\r\r", want: refused(400)},
		{name: "an empty line that is a line feed", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n\n", want: refused(400),
			why: whyLineFeed},
		{name: "a field that ends in a line feed", send: get("X-A: b\n"), want: refused(400), why: whyLineFeed},
		{name: "a coding behind a bare line feed", send: get("X-A: b\nTransfer-Encoding: chunked\r\n") + lastChunk,
			want: refused(400), why: whyLineFeed},
		{name: "a request behind two line feeds", send: "GET /{id} HTTP/1.1\r\nHost: test\r\nX-A: b\n\n" + evil,
			want: refused(400), why: whyLineFeed},
		{name: "an empty line that is a carriage return", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n\r",
			want: refused(400)},
		{name: "an empty line with two carriage returns", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n\r\r\n",
			want: refused(400)},
		{name: "a line of spaces", send: get("X-A: b\r\n   \r\nX-C: d\r\n"), want: refused(400), why: whyFolding},
		{name: "a line of spaces before the empty one", send: get("X-A: b\r\n \r\n"), want: refused(400),
			why: whyFolding},
		{name: "a line of NUL", send: get("\x00\r\n"), want: refused(400)},

		{name: "a field over two lines", send: get("X-A: b\r\n c\r\n"), want: refused(400), why: whyFolding},
		{name: "a field over two lines, with a tab", send: get("X-A: b\r\n\tc\r\n"), want: refused(400),
			why: whyFolding},
		{name: "a field over three lines", send: get("X-A: b\r\n c\r\n d\r\n"), want: refused(400), why: whyFolding},
		{name: "a field whose second line looks like one", send: post("X-A: b\r\n Content-Length: 43\r\n", evil),
			want: refused(400), why: whyFolding},
		{name: "a name over two lines", send: get("X-\r\n A: b\r\n"), want: refused(400)},
		{name: "a first field that is a second line", send: "GET /{id} HTTP/1.1\r\n X-A: b\r\nHost: test\r\n\r\n",
			want: refused(400)},

		{name: "100 fields", send: get(strings.Repeat("X-A: b\r\n", 100)), want: served, why: whyLimit},
		{name: "1,000 fields", send: get(manyFields(1000)), want: refused(431)},
		{name: "20,000 fields", send: get(manyFields(20_000)), want: refused(431)},
		{name: "20,000 fields of one name", send: get(strings.Repeat("A: b\r\n", 20_000)), want: refused(431)},

		{name: "Connection: close", send: get("Connection: close\r\n"), want: last},
		{name: "Connection: close among others", send: get("Connection: x-a, Close\r\nX-A: b\r\n"),
			want: last, lacks: "X-A"},
		{name: "Connection: close, and keep-alive",
			send: get("Connection: keep-alive\r\nConnection: close\r\n"), want: last},
		{name: "Connection: keep-alive", send: get("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"), want: served,
			lacks: "Keep-Alive"},
		{name: "Connection that is no list", send: get("Connection: ;;;,\x09,\"\r\n"), want: served},
		{name: "Connection that lists Content-Length", send: post("Connection: Content-Length\r\n"+length, evil),
			want: served, body: evil},
		{name: "Connection that lists Transfer-Encoding",
			send: post("Connection: Transfer-Encoding\r\n"+chunked, evilChunk+lastChunk), want: served, body: evil},
		{name: "Connection that lists Authorization", send: get("Connection: Authorization\r\nAuthorization: x\r\n"),
			want: served, lacks: "Authorization"},
		{name: "Proxy-Connection", send: get("Proxy-Connection: close\r\n"), want: served, lacks: "Proxy-Connection"},
		{name: "TE", send: get("TE: trailers, deflate\r\nConnection: TE\r\n"), want: served, lacks: "Te"},
		{name: "a client that says who it is",
			send: get("X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n"), want: served},
		{name: "a client that says what its certificate is", send: get("Client-Cert: :AAAA:\r\n"), want: served,
			lacks: "Client-Cert"},
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-%d: b\r\n", i)
	}
	return b.String()
}
