package hostile_test

// transferEncodings returns rows about the Transfer-Encoding field (RFC 9112 section
// 6.1), alone and beside a Content-Length.
func transferEncodings() []row {
	whole := evilChunk + lastChunk
	te := func(value string) string { return post("Transfer-Encoding: "+value+"\r\n", whole) }
	rows := []row{
		{name: "chunked", send: te("chunked"), want: served, body: evil},
		{name: "chunked, in capitals", send: post("TRANSFER-ENCODING: CHUNKED\r\n", whole), want: served, body: evil},
		{name: "chunked, without a space", send: post("Transfer-Encoding:chunked\r\n", whole), want: served, body: evil},
		{name: "chunked, with spaces and tabs around", send: te(" \tchunked\t "), want: served, body: evil, why: whySpace},
		{name: "chunked, with a bare line feed", send: post("Transfer-Encoding: chunked\n", whole), want: refused(400), why: whyLineFeed},
		{name: "chunked, with an empty body", send: post(chunked, lastChunk), want: served},
		{name: "a coding that nobody knows", send: te("xchunked"), want: refused(501)},
		{name: "identity", send: te("identity"), want: refused(501)},
		{name: "gzip", send: te("gzip"), want: refused(501)},
		{name: "gzip, chunked", send: te("gzip, chunked"), want: refused(501)},
		{name: "chunked, gzip", send: te("chunked, gzip"), want: refused(501)},
		{name: "chunked, identity", send: te("chunked, identity"), want: refused(501)},
		{name: "identity, chunked", send: te("identity, chunked"), want: refused(501)},
		{name: "chunked, chunked", send: te("chunked, chunked"), want: refused(501)},
		{name: "chunked twice", send: post(chunked+chunked, whole), want: refused(400)},
		{name: "chunked and identity on two lines", send: post(chunked+"Transfer-Encoding: identity\r\n", whole), want: refused(400)},
		{name: "identity and chunked on two lines", send: post("Transfer-Encoding: identity\r\n"+chunked, whole), want: refused(400)},
		{name: "chunked and an empty one", send: post(chunked+"Transfer-Encoding:\r\n", whole), want: refused(400)},
		{name: "chunked, and a comma behind", send: te("chunked,"), want: refused(501)},
		{name: "chunked, and a comma in front", send: te(",chunked"), want: refused(501)},
		{name: "chunked with a parameter", send: te("chunked;q=1"), want: refused(501)},
		{name: "chunked in quotes", send: te(`"chunked"`), want: refused(501)},
		{name: "chunked, twice in a word", send: te("chunked chunked"), want: refused(501)},
		{name: "chunked behind another word", send: te("x chunked"), want: refused(501)},
		{name: "chunked behind a vertical tab", send: te("\x0bchunked"), want: refused(400)},
		{name: "chunked before a form feed", send: te("chunked\x0c"), want: refused(400)},
		{name: "chunked before NUL", send: te("chunked\x00"), want: refused(400)},
		{name: "chunked behind a space of no ASCII", send: te("\xa0chunked"), want: refused(501)},
		{name: "chunked with a letter of no ASCII", send: te("chun\xe2\x84\xaaed"), want: refused(501)},
		{name: "an empty coding", send: te(""), want: refused(501)},
		{name: "chunked, with a space before the colon", send: post("Transfer-Encoding : chunked\r\n", whole), want: refused(400)},
		{name: "chunked, with a tab before the colon", send: post("Transfer-Encoding\t: chunked\r\n", whole), want: refused(400)},
		{name: "chunked, with NUL before the colon", send: post("Transfer-Encoding\x00: chunked\r\n", whole), want: refused(400)},
		{name: "chunked on a second line", send: post("Transfer-Encoding:\r\n chunked\r\n", whole), want: refused(400), why: whyFolding},
		{name: "chunked in a field that goes on", send: post("X-A: b\r\n Transfer-Encoding: chunked\r\n", whole), want: refused(400), why: whyFolding},
		{name: "chunked behind a carriage return", send: post("X-A: b\rTransfer-Encoding: chunked\r\n", whole), want: refused(400)},
		{name: "chunked behind a line feed", send: post("X-A: b\nTransfer-Encoding: chunked\r\n", whole), want: refused(400), why: whyLineFeed},
		{name: "chunked behind an empty line", send: post("X-A: b\r\n\r\nTransfer-Encoding: chunked\r\n", whole), want: untilBad(400)},
		{name: "chunked with an underscore, beside a length", send: post("Transfer_Encoding: chunked\r\n"+length, evil), want: served, body: evil, lacks: "Transfer_encoding"},
		{name: "chunked as the encoding of the content", send: post("Content-Encoding: chunked\r\n"+length, evil), want: served, body: evil},
		{name: "chunked in HTTP/1.0", send: "POST /{id} HTTP/1.0\r\nHost: test\r\n" + chunked + "\r\n" + whole, want: refused(400), why: whyOldCoding},
		{name: "chunked in HTTP/1.0 that would be kept", send: "POST /{id} HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n" + chunked + "\r\n" + whole, want: refused(400), why: whyOldCoding},
		{name: "chunked in HTTP/1.0, beside a length", send: "POST /{id} HTTP/1.0\r\nHost: test\r\n" + length + chunked + "\r\n" + evil, want: refused(400)},
		{name: "a coding that nobody knows in HTTP/1.0", send: "POST /{id} HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: x\r\n\r\n", want: refused(400)},
	}
	return append(rows, both()...)
}

// both returns rows with both fields, which one party may go by the one and another
// by the other.
func both() []row {
	short := lastChunk + evil
	return []row{
		{name: "length, then chunked", send: post(length+chunked, short), want: refused(400), why: whyBoth},
		{name: "chunked, then length", send: post(chunked+length, short), want: refused(400), why: whyBoth},
		{name: "length that fits, and chunked", send: post("Content-Length: 5\r\n"+chunked, lastChunk), want: refused(400), why: whyBoth},
		{name: "length of nothing, and chunked", send: post("Content-Length: 0\r\n"+chunked, evilChunk+lastChunk), want: refused(400), why: whyBoth},
		{name: "length, and chunked with a body", send: post("Content-Length: 4\r\n"+chunked, evilChunk+lastChunk), want: refused(400), why: whyBoth},
		{name: "length twice, and chunked", send: post(length+length+chunked, short), want: refused(400), why: whyBoth},
		{name: "bad length, and chunked", send: post("Content-Length: x\r\n"+chunked, short), want: refused(400)},
		{name: "length, and chunked with other fields between", send: post(length+"X-A: b\r\n"+chunked, short), want: refused(400), why: whyBoth},
		{name: "length that Connection lists, and chunked", send: post("Connection: Content-Length\r\n"+length+chunked, short), want: refused(400), why: whyBoth},
		{name: "length, and chunked that Connection lists", send: post("Connection: Transfer-Encoding\r\n"+length+chunked, short), want: refused(400), why: whyBoth},
		{name: "length with an underscore, and chunked", send: post("Content_Length: 43\r\n"+chunked, evilChunk+lastChunk), want: served, body: evil, lacks: "Content_length"},
		{name: "length, and a coding that nobody knows", send: post(length+"Transfer-Encoding: xchunked\r\n", evil), want: refused(400)},
		{name: "length, and identity", send: post(length+"Transfer-Encoding: identity\r\n", evil), want: refused(400)},
		{name: "length, and an empty coding", send: post(length+"Transfer-Encoding:\r\n", evil), want: refused(400)},
		{name: "length, and chunked with a space before the colon", send: post(length+"Transfer-Encoding : chunked\r\n", evil), want: refused(400)},
		{name: "length, and chunked in a field that goes on", send: post(length+"X-A: b\r\n Transfer-Encoding: chunked\r\n", evil), want: refused(400), why: whyFolding},
		{name: "length, and a declared trailer", send: post(length+"Trailer: X-A\r\n", evil), want: served, body: evil, lacks: "Trailer"},
	}
}
