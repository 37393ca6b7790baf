package hostile_test

// truncations returns rows that end too early, with the end of what the client sends
// behind them.
func truncations() []row {
	rows := []row{
		{name: "the end at once", send: "", want: dropped},
		{name: "the end in the method", send: "DELET", want: refused(400)},
		{name: "the end behind the method", send: "GET ", want: refused(400)},
		{name: "the end in the target", send: "GET /{id}", want: refused(400)},
		{name: "the end in the version", send: "GET /{id} HTTP/1", want: refused(400)},
		{name: "the end before the line's", send: "GET /{id} HTTP/1.1", want: refused(400)},
		{name: "the end in the line's", send: "GET /{id} HTTP/1.1\r", want: refused(400)},
		{name: "the end behind the first line", send: "GET /{id} HTTP/1.1\r\n", want: refused(400)},
		{name: "the end in a name", send: "GET /{id} HTTP/1.1\r\nHo", want: refused(400)},
		{name: "the end behind a colon", send: "GET /{id} HTTP/1.1\r\nHost:", want: refused(400)},
		{name: "the end in a value", send: "GET /{id} HTTP/1.1\r\nHost: te", want: refused(400)},
		{name: "the end behind the fields", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n", want: refused(400)},
		{name: "the end in the empty line", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n\r", want: refused(400)},
		{name: "the end before a body with a length", send: post(length, ""), want: refused(400)},
		{name: "the end in a body with a length", send: post(length, evil[:20]), want: refused(400)},
		{name: "the end one byte before that of a body", send: post(length, evil[:42]), want: refused(400)},
		{name: "the end before a chunk", send: post(chunked, ""), want: refused(400)},
		{name: "the end in a size", send: post(chunked, "2"), want: refused(400)},
		{name: "the end in an extension", send: post(chunked, "2b;a"), want: refused(400)},
		{name: "the end in the line end of a size", send: post(chunked, "2b\r"), want: refused(400)},
		{name: "the end behind a size", send: post(chunked, "2b\r\n"), want: refused(400)},
		{name: "the end in a chunk", send: post(chunked, evilChunk[:20]), want: refused(400)},
		{name: "the end behind a chunk's bytes", send: post(chunked, evilChunk[:len(evilChunk)-2]), want: refused(400)},
		{name: "the end in the line end of a chunk", send: post(chunked, evilChunk[:len(evilChunk)-1]),
			want: refused(400)},
		{name: "the end behind a chunk", send: post(chunked, evilChunk), want: refused(400)},
		{name: "the end behind a zero", send: post(chunked, evilChunk+"0"), want: refused(400)},
		{name: "the end behind the last chunk", send: post(chunked, evilChunk+"0\r\n"), want: refused(400)},
		{name: "the end in the last line", send: post(chunked, evilChunk+"0\r\n\r"), want: refused(400)},
		{name: "the end in a trailer", send: post(chunked, evilChunk+"0\r\nX-A"), want: refused(400)},
		{name: "the end behind a trailer", send: post(chunked, evilChunk+"0\r\nX-A: b\r\n"), want: refused(400)},
	}
	for i := range rows {
		rows[i].last = true
	}
	return rows
}
