package hostile_test

import "strings"

// trailers returns rows about the fields behind a chunked body (RFC 9112 section
// 7.1.2, RFC 9110 section 6.5).
func trailers() []row {
	of := func(fields string) string { return post(chunked, evilChunk+"0\r\n"+fields+"\r\n") }
	return []row{
		{name: "a trailer", send: of("X-A: b\r\n"), want: served, body: evil, field: "X-A: b"},
		{name: "a trailer that was declared", send: post(chunked+"Trailer: X-A\r\n", evilChunk+"0\r\nX-A: b\r\n\r\n"),
			want: served, body: evil, field: "X-A: b"},
		{name: "a length in the trailers", send: of("Content-Length: 5\r\n"), want: served, body: evil,
			lacks: "Content-Length"},
		{name: "a length and another field in the trailers", send: of("Content-Length: 5\r\nX-A: b\r\n"), want: served,
			body: evil, field: "X-A: b", lacks: "Content-Length"},
		{name: "a coding in the trailers", send: of("Transfer-Encoding: chunked\r\n"), want: served, body: evil,
			lacks: "Transfer-Encoding"},
		{name: "a Host in the trailers", send: of("Host: other\r\n"), want: served, body: evil, lacks: "Host"},
		{name: "a Connection in the trailers", send: of("Connection: close\r\n"), want: served, body: evil,
			lacks: "Connection"},
		{name: "an Authorization in the trailers", send: of("Authorization: x\r\n"), want: served, body: evil,
			lacks: "Authorization"},
		{name: "a Cookie in the trailers", send: of("Cookie: x\r\n"), want: served, body: evil, lacks: "Cookie"},
		{name: "an address in the trailers", send: of("X-Forwarded-For: 192.0.2.1\r\n"), want: served, body: evil},
		{name: "a length with an underscore in the trailers", send: of("Content_Length: 5\r\n"), want: served,
			body: evil, lacks: "Content_length"},
		{name: "a declared length in the trailers",
			send: post(chunked+"Trailer: Content-Length\r\n", evilChunk+"0\r\nContent-Length: 5\r\n\r\n"),
			want: refused(400), why: whyTrailer},
		{name: "a trailer without a colon", send: of("X-A\r\n"), want: refused(400), why: whyTrailer},
		{name: "a trailer without a name", send: of(": b\r\n"), want: refused(400), why: whyTrailer},
		{name: "a trailer with a space before the colon", send: of("X-A : b\r\n"), want: refused(400), why: whyTrailer},
		{name: "a trailer with NUL", send: of("X-A: b\x00\r\n"), want: refused(400), why: whyTrailer},
		{name: "a trailer with a carriage return", send: of("X-A: b\rc\r\n"), want: refused(400)},
		{name: "a trailer over two lines", send: of("X-A: b\r\n c\r\n"), want: refused(400), why: whyTrailer},
		{name: "a trailer with a line feed", send: of("X-A: b\n"), want: refused(400), why: whyTrailer},
		{name: "trailers that end in a line feed", send: post(chunked, evilChunk+"0\r\nX-A: b\r\n\n"),
			want: refused(400), why: whyTrailer},
		{name: "a request for a trailer", send: of(strings.TrimSuffix(evil, "\r\n")), want: refused(400),
			why: whyTrailer},
		{name: "trailers of 10 KB", send: of(strings.Repeat("X-A: b\r\n", 1250)), want: refused(400),
			why: whyTrailerSize},
		{name: "trailers of 200 KB", send: of(strings.Repeat("X-A: b\r\n", 25_000)), want: refused(400),
			why: whyTrailerSize},
	}
}
