package hostile_test

import "strings"

// withHost returns a request whose fields are all said.
func withHost(fields string) string { return "GET /{id} HTTP/1.1\r\n" + fields + "\r\n" }

// hosts returns rows about the Host field (RFC 9112 section 3.2).
func hosts() []row {
	return []row{
		{name: "no Host", send: withHost("X-A: b\r\n"), want: refused(400)},
		{name: "no field at all", send: withHost(""), want: refused(400)},
		{name: "an empty Host", send: withHost("Host:\r\n"), want: refused(400), why: whyHost},
		{name: "a Host of spaces", send: withHost("Host:   \r\n"), want: refused(400), why: whyHost},
		{name: "two Hosts that differ", send: withHost("Host: test\r\nHost: other\r\n"), want: refused(400)},
		{name: "two Hosts that are alike", send: withHost("Host: test\r\nHost: test\r\n"), want: refused(400), why: whyHost},
		{name: "two Hosts, one empty", send: withHost("Host: test\r\nHost:\r\n"), want: refused(400)},
		{name: "a Host in capitals, and another", send: withHost("HOST: test\r\nhost: other\r\n"), want: refused(400)},
		{name: "a Host with a space before the colon", send: withHost("Host : test\r\n"), want: refused(400)},
		{name: "a Host with a space in front", send: withHost(" Host: test\r\n"), want: refused(400)},
		{name: "another Host with a space in front", send: withHost("Host: test\r\n Host: other\r\n"), want: refused(400)},
		{name: "a Host over two lines", send: withHost("Host:\r\n test\r\n"), want: refused(400), why: whyFolding},
		{name: "a Host over two lines that both say something", send: withHost("Host: test\r\n other\r\n"), want: refused(400)},
		{name: "a Host without a space", send: withHost("Host:test\r\n"), want: served},
		{name: "a Host with spaces and tabs around", send: withHost("Host: \t test \t\r\n"), want: served, why: whySpace},
		{name: "a Host behind other fields", send: withHost("X-A: b\r\nHost: test\r\n"), want: served},
		{name: "a Host with a port", send: withHost("Host: test:8080\r\n"), want: served, host: "test:8080"},
		{name: "a Host with an empty port", send: withHost("Host: test:\r\n"), want: served, host: "test:"},
		{name: "a Host with a port of letters", send: withHost("Host: test:http\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a port with a sign", send: withHost("Host: test:-1\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a port that is too large", send: withHost("Host: test:65536\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with two ports", send: withHost("Host: test:80:80\r\n"), want: refused(400), why: whyHost},
		{name: "a Host that is a port", send: withHost("Host: :80\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a user", send: withHost("Host: me@test\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a path", send: withHost("Host: test/other\r\n"), want: refused(400)},
		{name: "a Host with a scheme", send: withHost("Host: http://test\r\n"), want: refused(400)},
		{name: "a Host with a query", send: withHost("Host: test?x\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a fragment", send: withHost("Host: test#x\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a backslash", send: withHost("Host: test\\x\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with a space", send: withHost("Host: test other\r\n"), want: refused(400)},
		{name: "a Host with a tab", send: withHost("Host: test\tother\r\n"), want: refused(400)},
		{name: "a Host with a comma", send: withHost("Host: test, other\r\n"), want: refused(400)},
		{name: "a Host with NUL", send: withHost("Host: test\x00\r\n"), want: refused(400)},
		{name: "a Host with a carriage return", send: withHost("Host: test\rother\r\n"), want: refused(400)},
		{name: "a Host with DEL", send: withHost("Host: test\x7f\r\n"), want: refused(400)},
		{name: "a Host with quotes", send: withHost("Host: \"test\"\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with letters of no ASCII", send: withHost("Host: t\xc3\xa9st\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with an escape", send: withHost("Host: te%73t\r\n"), want: served, host: "te%73t"},
		{name: "a Host with half an escape", send: withHost("Host: test%\r\n"), want: refused(400), why: whyHost},
		{name: "a Host that is an IPv6 address", send: withHost("Host: [::1]:80\r\n"), want: served, host: "[::1]:80"},
		{name: "a Host that is half an IPv6 address", send: withHost("Host: [::1\r\n"), want: refused(400), why: whyHost},
		{name: "a Host with something behind the bracket", send: withHost("Host: [::1]x\r\n"), want: refused(400), why: whyHost},
		{name: "a Host that is an IPv6 address without brackets", send: withHost("Host: ::1\r\n"), want: refused(400), why: whyHost},
		{name: "a Host of 300 letters", send: withHost("Host: " + strings.Repeat("a", 300) + "\r\n"), want: served, host: strings.Repeat("a", 300)},
		{name: "a Host of 20 KB", send: withHost("Host: " + strings.Repeat("a", 20_000) + "\r\n"), want: refused(431)},
		{name: "no Host in HTTP/1.0", send: "GET /{id} HTTP/1.0\r\n\r\n", want: last, host: noHost},
		{name: "two Hosts in HTTP/1.0", send: "GET /{id} HTTP/1.0\r\nHost: test\r\nHost: other\r\n\r\n", want: refused(400)},
		{name: "a bad Host in HTTP/1.0", send: "GET /{id} HTTP/1.0\r\nHost: te st\r\n\r\n", want: refused(400)},
		{name: "a Host, and another one forwarded", send: withHost("Host: test\r\nX-Forwarded-Host: other\r\n"), want: served, field: "X-Forwarded-Host: test"},
		{name: "a Host that Connection lists", send: withHost("Host: test\r\nConnection: Host\r\n"), want: served},
	}
}
