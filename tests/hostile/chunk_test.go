package hostile_test

import "strings"

// chunks returns rows about the chunked coding (RFC 9112 section 7.1).
func chunks() []row {
	of := func(body string) string { return post(chunked, body) }
	size := func(text string) string { return of(text + "\r\n" + evil + "\r\n" + lastChunk) }
	behindSize := func(text string) string { return of("2b" + text + "\r\n" + evil + "\r\n" + lastChunk) }
	return []row{
		{name: "a size in capitals", send: size("2B"), want: served, body: evil},
		{name: "a size with zeros in front", send: size("00002b"), want: served, body: evil},
		{name: "a size of 16 digits", send: size("000000000000002b"), want: served, body: evil},
		{name: "a size of 17 digits", send: size("0000000000000002b"), want: refused(400), why: whySize},
		{name: "a size of 1,000 zeros", send: size(strings.Repeat("0", 1000) + "2b"), want: refused(400), why: whySize},
		{name: "a size that is no number", send: size("xyz"), want: refused(400)},
		{name: "an empty size", send: size(""), want: refused(400)},
		{name: "a size with a plus", send: size("+2b"), want: refused(400)},
		{name: "a size with a minus", send: size("-2b"), want: refused(400)},
		{name: "a size with 0x", send: size("0x2b"), want: refused(400)},
		{name: "a size with h", send: size("2bh"), want: refused(400)},
		{name: "a size with an underscore", send: size("2_b"), want: refused(400)},
		{name: "a size with a space in front", send: size(" 2b"), want: refused(400)},
		{name: "a size with a tab in front", send: size("\t2b"), want: refused(400)},
		{name: "a size with a space behind", send: size("2b "), want: served, body: evil},
		{name: "a size with a tab behind", send: size("2b\t"), want: served, body: evil},
		{name: "a size with a space within", send: size("2 b"), want: refused(400)},
		{name: "a size with NUL", send: size("2b\x00"), want: refused(400)},
		{name: "a size of 2^64 and 43", send: size("1000000000000002b"), want: refused(400)},
		{name: "a size of 2^64 less 1", send: size("ffffffffffffffff"), want: refused(400)},
		{name: "a size of 2^63", send: size("8000000000000000"), want: refused(400)},
		{name: "a size in other digits", send: size("\xd9\xa4"), want: refused(400)},
		{name: "a size with a comma", send: size("2b,2b"), want: refused(400)},

		{name: "a bare line feed behind the size", send: of("2b\n" + evil + "\r\n" + lastChunk), want: refused(400), why: whyChunkEnd},
		{name: "a bare carriage return behind the size", send: of("2b\r" + evil + "\r\n" + lastChunk), want: refused(400)},
		{name: "two carriage returns behind the size", send: of("2b\r\r\n" + evil + "\r\n" + lastChunk), want: refused(400)},
		{name: "a line feed behind the chunk", send: of("2b\r\n" + evil + "\n" + lastChunk), want: refused(400), why: whyChunkEnd},
		{name: "a carriage return behind the chunk", send: of("2b\r\n" + evil + "\r" + lastChunk), want: refused(400)},
		{name: "nothing behind the chunk", send: of("2b\r\n" + evil + lastChunk), want: refused(400)},
		{name: "something else behind the chunk", send: of("2b\r\n" + evil + "XX" + lastChunk), want: refused(400)},
		{name: "two line ends behind the chunk", send: of("2b\r\n" + evil + "\r\n\r\n" + lastChunk), want: refused(400)},
		{name: "a chunk that is longer than it says", send: of("4\r\n" + evil + "\r\n" + lastChunk), want: refused(400)},
		{name: "a chunk that is shorter than it says", send: of("2d\r\n" + evil + "\r\n" + lastChunk), want: refused(400)},

		{name: "an extension", send: behindSize(";a"), want: served, body: evil},
		{name: "an extension with a value", send: behindSize(";a=b"), want: served, body: evil},
		{name: "an extension in quotes", send: behindSize(`;a="b;c"`), want: served, body: evil},
		{name: "an extension with spaces", send: behindSize(` ; a = b`), want: refused(400), why: whyExtension},
		{name: "many extensions", send: behindSize(strings.Repeat(";a=b", 100)), want: served, body: evil},
		{name: "an empty extension", send: behindSize(";"), want: served, body: evil},
		{name: "an extension that is none", send: behindSize(" a"), want: refused(400), why: whyExtension},
		{name: "an extension with a line feed", send: behindSize(";a\nb"), want: refused(400)},
		{name: "an extension with a carriage return", send: behindSize(";a\rb"), want: refused(400)},
		{name: "an extension with a line feed in quotes", send: behindSize(";a=\"\n\""), want: refused(400)},
		{name: "an extension that ends in a line feed", send: of("2b;\n" + evil + "\r\n" + lastChunk), want: refused(400), why: whyChunkEnd},
		{name: "an extension with NUL", send: behindSize(";a\x00"), want: refused(400), why: whyExtension},
		{name: "an extension with a request in it", send: behindSize(";" + strings.ReplaceAll(evil, "\r\n", "\n")), want: refused(400)},
		{name: "an extension of 5 KB", send: behindSize(";" + strings.Repeat("a", 5000)), want: refused(400), why: whyExtensionSize},
		{name: "an extension of 200 KB", send: behindSize(";" + strings.Repeat("a", 200_000)), want: refused(400), why: whyExtensionSize},
		{name: "small chunks with large extensions", send: of(strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\nx\r\n", 100) + lastChunk), want: refused(400), why: whyExtensionSize},
		{name: "10,000 chunks of one byte", send: of(strings.Repeat("1\r\nx\r\n", 10_000) + lastChunk), want: served, body: strings.Repeat("x", 10_000)},

		{name: "a last chunk of two zeros", send: of(evilChunk + "00\r\n\r\n"), want: served, body: evil},
		{name: "a last chunk of 20 zeros", send: of(evilChunk + strings.Repeat("0", 20) + "\r\n\r\n"), want: refused(400), why: whySize},
		{name: "a last chunk with an extension", send: of(evilChunk + "0;a\r\n\r\n"), want: served, body: evil},
		{name: "a last chunk with a minus", send: of(evilChunk + "-0\r\n\r\n"), want: refused(400)},
		{name: "a last chunk with 0x", send: of(evilChunk + "0x0\r\n\r\n"), want: refused(400)},
		{name: "a last chunk with a line feed", send: of(evilChunk + "0\n\r\n"), want: refused(400), why: whyChunkEnd},
		{name: "a last line that is a line feed", send: of(evilChunk + "0\r\n\n"), want: refused(400), why: whyChunkEnd},
		{name: "a last line that is a carriage return", send: of(evilChunk + "0\r\n\rX"), want: refused(400)},
		{name: "no last line", send: of(evilChunk + "0\r\n"), want: refused(400), why: whyTrailer},
		{name: "no last chunk", send: of(evilChunk), want: refused(400)},
		{name: "two last chunks", send: of(evilChunk + lastChunk + lastChunk), want: untilBad(400), body: evil},
		{name: "a body that is not chunked", send: of(evil), want: refused(400)},
	}
}
