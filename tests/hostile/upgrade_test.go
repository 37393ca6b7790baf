package hostile_test

// upgrades returns rows that want another protocol (RFC 9110 section 7.8), behind
// which requests can be smuggled past whoever believes that it got it.
func upgrades() []row {
	const h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	return []row{
		{name: "an upgrade to h2c", send: get(h2c), want: served, lacks: "Http2-Settings"},
		{name: "an upgrade to h2c, and what would be HTTP/2", send: get(h2c) + preface, want: untilBad(400),
			lacks: "Upgrade"},
		{name: "an upgrade to h2c that Connection does not list",
			send: get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), want: served, lacks: "Upgrade"},
		{name: "an upgrade to h2c without settings", send: get("Connection: Upgrade\r\nUpgrade: h2c\r\n"), want: served,
			lacks: "Upgrade"},
		{name: "an upgrade to h2c with a body", send: post(h2c+length, evil), want: served, body: evil,
			lacks: "Upgrade"},
		{name: "an upgrade to h2c with chunks", send: post(h2c+chunked, evilChunk+lastChunk), want: served, body: evil,
			lacks: "Upgrade"},
		{name: "an upgrade to TLS", send: get("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), want: served,
			lacks: "Upgrade"},
		{name: "an upgrade to what nobody knows", send: get("Connection: Upgrade\r\nUpgrade: x, y/2\r\n"), want: served,
			lacks: "Upgrade"},
		{name: "an upgrade in HTTP/1.0", send: "GET /{id} HTTP/1.0\r\nHost: test\r\n" + h2c + "\r\n", want: last,
			lacks: "Upgrade"},
		{name: "an empty upgrade", send: get("Connection: Upgrade\r\nUpgrade:\r\n"), want: served, lacks: "Upgrade"},
		{name: "HTTP/2 behind a request", send: get("") + preface, want: untilBad(400)},
	}
}
