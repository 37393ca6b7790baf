package hostile_test

import "strings"

// sizes returns rows that are too large.
func sizes() []row {
	return []row{
		{name: "a field of 40 KB", send: get("X-A: " + strings.Repeat("b", 40_000) + "\r\n"), want: refused(431)},
		{name: "a field of 1 MB", send: get("X-A: " + strings.Repeat("b", 1_000_000) + "\r\n"), want: refused(431)},
		{name: "a name of 40 KB", send: get(strings.Repeat("b", 40_000) + ": x\r\n"), want: refused(431)},
		{name: "a field of 1 MB without an end", send: "GET /{id} HTTP/1.1\r\nX-A: " + strings.Repeat("b", 1_000_000),
			want: refused(431)},
		{name: "a line of 1 MB without an end", send: strings.Repeat("b", 1_000_000), want: refused(431)},
		{name: "a method without an end", send: strings.Repeat("GET", 100_000), want: refused(431)},
		{name: "a value of spaces", send: get("X-A: " + strings.Repeat(" ", 60_000) + "b\r\n"), want: served,
			field: "X-A: b", why: whyLimit},
		{name: "two fields of 20 KB",
			send: get("X-A: " + strings.Repeat("b", 20_000) + "\r\nX-C: " + strings.Repeat("d", 20_000) + "\r\n"),
			want: refused(431)},
		{name: "a large field, and a body", send: post("X-A: "+strings.Repeat("b", 40_000)+"\r\n"+length, evil),
			want: refused(431)},
	}
}
