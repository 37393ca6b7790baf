package http1

import "testing"

// BenchmarkAFastRequestIsParsed reads the head that curl sends, and a browser's.
func BenchmarkAFastRequestIsParsed(b *testing.B) {
	for name, head := range map[string]string{
		"short": "GET /hello?a=b HTTP/1.1\r\nHost: localhost:8080\r\n" +
			"User-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
		"long": "GET /a/path/to/some/page?with=a&few=words HTTP/1.1\r\n" +
			"Host: www.example.org\r\nConnection: keep-alive\r\n" +
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0\r\n" +
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
			"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
			"Accept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef\r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			r := newFastRequest()
			b.ReportAllocs()
			for b.Loop() {
				if !r.parse(head) {
					b.Fatal("the head is left to net/http")
				}
			}
		})
	}
}
