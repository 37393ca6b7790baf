package hostile_test

import "strings"

// contentLengths returns rows about the Content-Length field (RFC 9112 section 6.2).
func contentLengths() []row {
	of := func(value string) string { return post("Content-Length: "+value+"\r\n", evil) }
	return []row{
		{name: "a length", send: of("43"), want: served, body: evil},
		{name: "a length with spaces and tabs around", send: of(" \t43\t "), want: served, body: evil, why: whySpace},
		{name: "a length with zeros in front", send: of("00043"), want: served, body: evil},
		{name: "a length with a bare line feed", send: post("Content-Length: 43\n", evil), want: refused(400), why: whyLineFeed},
		{name: "a length of no body", send: post("Content-Length: 0\r\n", ""), want: served},
		{name: "a length with a plus", send: of("+43"), want: refused(400)},
		{name: "a length with a minus", send: of("-43"), want: refused(400)},
		{name: "a length of minus nothing", send: of("-0"), want: refused(400)},
		{name: "a length in hex", send: of("0x2b"), want: refused(400)},
		{name: "a length in hex without a prefix", send: of("2b"), want: refused(400)},
		{name: "a length with a fraction", send: of("43.0"), want: refused(400)},
		{name: "a length with an exponent", send: of("43e0"), want: refused(400)},
		{name: "a length with an underscore", send: of("4_3"), want: refused(400)},
		{name: "a length with a space within", send: of("4 3"), want: refused(400)},
		{name: "a length with a word behind", send: of("43 bytes"), want: refused(400)},
		{name: "a length with a semicolon", send: of("43;"), want: refused(400)},
		{name: "a length in quotes", send: of(`"43"`), want: refused(400)},
		{name: "a length with a vertical tab", send: of("\x0b43"), want: refused(400)},
		{name: "a length before NUL", send: of("43\x00"), want: refused(400)},
		{name: "a length behind a space of no ASCII", send: of("\xa043"), want: refused(400)},
		{name: "a length in other digits", send: of("\xd9\xa4\xd9\xa3"), want: refused(400)},
		{name: "an empty length", send: of(""), want: refused(400)},
		{name: "a length that is a comma", send: of(","), want: refused(400)},
		{name: "a length of 2^63", send: of("9223372036854775808"), want: refused(400)},
		{name: "a length of 2^64 and 43", send: of("18446744073709551659"), want: refused(400)},
		{name: "a length of 1,000 digits", send: of(strings.Repeat("9", 1000)), want: refused(400)},
		{name: "a length of 1,000 zeros and 43", send: of(strings.Repeat("0", 1000) + "43"), want: served, body: evil},

		{name: "the same length in one line", send: of("43, 43"), want: refused(400), why: whyLengths},
		{name: "the same length in one line, without a space", send: of("43,43"), want: refused(400), why: whyLengths},
		{name: "a length and a comma", send: of("43,"), want: refused(400)},
		{name: "a comma and a length", send: of(",43"), want: refused(400)},
		{name: "two lengths in one line", send: of("43, 0"), want: refused(400)},
		{name: "the same length twice", send: post(length+length, evil), want: refused(400), why: whyLengths},
		{name: "the same length twice, in two spellings", send: post(length+"content-length: 43\r\n", evil), want: refused(400), why: whyLengths},
		{name: "the same length thrice", send: post(length+length+length, evil), want: refused(400), why: whyLengths},
		{name: "the same length in other words", send: post(length+"Content-Length: 043\r\n", evil), want: refused(400), why: whyLengths},
		{name: "two lengths", send: post(length+"Content-Length: 0\r\n", evil), want: refused(400)},
		{name: "two lengths, the other first", send: post("Content-Length: 0\r\n"+length, evil), want: refused(400)},
		{name: "a length and an empty one", send: post(length+"Content-Length:\r\n", evil), want: refused(400)},
		{name: "two lengths of nothing", send: post("Content-Length: 0\r\nContent-Length: 0\r\n", ""), want: refused(400), why: whyLengths},
		{name: "two lengths with others between", send: post(length+"X-A: b\r\n"+length, evil), want: refused(400), why: whyLengths},

		{name: "a length with a space before the colon", send: post("Content-Length : 43\r\n", evil), want: refused(400)},
		{name: "a length without a space", send: post("Content-Length:43\r\n", evil), want: served, body: evil},
		{name: "a length in capitals", send: post("CONTENT-LENGTH: 43\r\n", evil), want: served, body: evil},
		{name: "a length on a second line", send: post("Content-Length:\r\n 43\r\n", evil), want: refused(400), why: whyFolding},
		{name: "a length over two lines", send: post("Content-Length: 4\r\n 3\r\n", evil), want: refused(400)},
		{name: "a length with an underscore, and another", send: post("Content_Length: 5\r\n"+length, evil), want: served, body: evil, lacks: "Content_length"},
		{name: "a length that Connection lists", send: post("Connection: Content-Length\r\n"+length, evil), want: served, body: evil},
		{name: "a length in HTTP/1.0", send: "POST /{id} HTTP/1.0\r\nHost: test\r\n" + length + "\r\n" + evil, want: last, body: evil},
		{name: "the same length twice in HTTP/1.0", send: "POST /{id} HTTP/1.0\r\nHost: test\r\n" + length + length + "\r\n" + evil, want: refused(400), why: whyLengths},
		{name: "no length in HTTP/1.0", send: "POST /{id} HTTP/1.0\r\nHost: test\r\n\r\n", want: last},
	}
}
