package hostile_test

import "strings"

// methods returns rows about methods, and about bodies where there are mostly none
// (RFC 9110 section 9).
func methods() []row {
	return []row{
		{name: "a method in small letters", send: line("get /{id} HTTP/1.1"), want: served, why: whyMethod},
		{name: "a method that nobody knows", send: line("BREW /{id} HTTP/1.1"), want: served},
		{name: "a method with all that a token may have", send: line("A!#$%&'*+-.^_`|~9 /{id} HTTP/1.1"), want: served,
			why: whyMethod},
		{name: "a method with a parenthesis", send: line("GE(T /{id} HTTP/1.1"), want: refused(400)},
		{name: "a method with a colon", send: line("GET: /{id} HTTP/1.1"), want: refused(400)},
		{name: "a method with a slash", send: line("GET/x /{id} HTTP/1.1"), want: refused(400)},
		{name: "a method with NUL", send: line("GE\x00T /{id} HTTP/1.1"), want: refused(400)},
		{name: "a method with letters of no ASCII", send: line("G\xc3\x89T /{id} HTTP/1.1"), want: refused(400)},
		{name: "a method of 1000 letters", send: line(strings.Repeat("X", 1000) + " /{id} HTTP/1.1"), want: served},
		{name: "a method of 200 KB", send: line(strings.Repeat("X", 200_000) + " /{id} HTTP/1.1"), want: refused(431)},

		{name: "GET with a body", send: get(length) + evil, want: served, body: evil},
		{name: "GET with a chunked body", send: get(chunked) + evilChunk + lastChunk, want: served, body: evil},
		{name: "HEAD with a body", send: "HEAD /{id} HTTP/1.1\r\nHost: test\r\n" + length + "\r\n" + evil,
			want: served, body: evil},
		{name: "HEAD with a chunked body", send: "HEAD /{id} HTTP/1.1\r\nHost: test\r\n" + chunked + "\r\n" +
			evilChunk + lastChunk, want: served, body: evil},
		{name: "DELETE with a body", send: "DELETE /{id} HTTP/1.1\r\nHost: test\r\n" + length + "\r\n" + evil,
			want: served, body: evil},
		{name: "OPTIONS with a body", send: "OPTIONS /{id} HTTP/1.1\r\nHost: test\r\n" + length + "\r\n" + evil,
			want: served, body: evil},
		{name: "TRACE", send: line("TRACE /{id} HTTP/1.1"), want: spared(405), why: whyTrace},
		{name: "TRACE with a body", send: "TRACE /{id} HTTP/1.1\r\nHost: test\r\n" + length + "\r\n" + evil,
			want: spared(405), why: whyTrace},
		{name: "POST without a length", send: post("", ""), want: served},

		{name: "CONNECT", send: "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\nId: {id}\r\n\r\n", want: refused(501),
			why: whyConnect},
		{name: "CONNECT, and what would be the tunnel",
			send: "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\nId: {id}\r\n\r\n" + evil, want: refused(501),
			why: whyConnect},
		{name: "CONNECT with a body", send: "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\nId: {id}\r\n" + length +
			"\r\n" + evil, want: refused(501), why: whyConnect},
		{name: "CONNECT without a port", send: "CONNECT test HTTP/1.1\r\nHost: test\r\nId: {id}\r\n\r\n",
			want: refused(501)},
		{name: "CONNECT of a path", send: line("CONNECT /{id} HTTP/1.1"), want: refused(501)},
		{name: "CONNECT without a Host", send: "CONNECT test:443 HTTP/1.1\r\nId: {id}\r\n\r\n", want: refused(501),
			why: whyConnect},
		{name: "CONNECT of a URI", send: line("CONNECT http://test/{id} HTTP/1.1"), want: refused(501)},
		{name: "another method in a field", send: get("X-HTTP-Method-Override: DELETE\r\n"), want: served,
			field: "X-Http-Method-Override: DELETE"},
		{name: "Max-Forwards of none", send: "TRACE /{id} HTTP/1.1\r\nHost: test\r\nMax-Forwards: 0\r\n\r\n",
			want: spared(405), why: whyTrace},
	}
}
