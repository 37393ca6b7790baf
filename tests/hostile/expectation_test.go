package hostile_test

// expectations returns rows about the Expect field (RFC 9110 section 10.1.1). The
// client does not wait for an answer.
func expectations() []row {
	const expect = "Expect: 100-continue\r\n"
	going := []int{100}
	return []row{
		{name: "an expectation", send: post(expect+length, evil), want: served, body: evil, interim: going,
			lacks: "Expect"},
		{name: "an expectation in capitals", send: post("Expect: 100-Continue\r\n"+length, evil), want: served,
			body: evil, interim: going},
		{name: "an expectation before chunks", send: post(expect+chunked, evilChunk+lastChunk), want: served,
			body: evil, interim: going},
		{name: "an expectation without a body", send: get(expect), want: served},
		{name: "an expectation of no body", send: post(expect+"Content-Length: 0\r\n", ""), want: served},
		{name: "an expectation in HTTP/1.0",
			send: "POST /{id} HTTP/1.0\r\nHost: test\r\n" + expect + length + "\r\n" + evil, want: last, body: evil},
		{name: "an expectation twice", send: post(expect+expect+length, evil), want: served, body: evil,
			interim: going, why: whyTwice},
		{name: "an expectation in a list", send: post("Expect: 100-continue, x\r\n"+length, evil), want: served,
			body: evil, interim: going},
		{name: "an expectation that nobody knows", send: post("Expect: 200-ok\r\n"+length, evil), want: refused(417),
			why: whyExpectation},
		{name: "an expectation that nobody knows, without a body", send: get("Expect: x\r\n"), want: refused(417),
			why: whyExpectation},
		{name: "an empty expectation", send: post("Expect:\r\n"+length, evil), want: served, body: evil},
		{name: "an expectation, and both lengths", send: post(expect+length+chunked, lastChunk+evil),
			want: refused(400), why: whyBoth},
		{name: "an expectation, and a bad chunk", send: post(expect+chunked, "xyz\r\n"+evil), want: refused(400),
			interim: going},
	}
}
