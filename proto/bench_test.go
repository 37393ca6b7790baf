package proto

import "testing"

// typicalRequest is what a browser sends for an upload: 10 header fields.
func typicalRequest() *Request {
	return &Request{
		StreamID: 0x0102030405060708, Version: HTTP2,
		Method: "POST", Scheme: "https", Authority: "media.example.com:8443",
		Path: "/v1/upload/transcode?profile=h264-1080p&session=0a1b2c3d4e5f",
		Fields: []Field{
			{"host", "media.example.com:8443"},
			{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
			{"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
			{"accept-language", "en-GB,en;q=0.5"},
			{"accept-encoding", "gzip, deflate, br, zstd"},
			{"content-type", "video/mp4"},
			{"content-length", "73400320"},
			{"authorization", "Bearer eyJhbGciOiJFZERTQSJ9.c3ViamVjdA.c2lnbmF0dXJl"},
			{"x-request-id", "6f1d2c3b-4a59-4687-9786-a5b4c3d2e1f0"},
			{"cookie", "session=1f2e3d4c5b6a79880796a5b4c3d2e1f0; theme=dark"},
		},
	}
}

func typicalResponse() *Response {
	return &Response{
		StreamID: 0x0102030405060708, Version: HTTP2, Status: 200,
		Fields: []Field{
			{"content-type", "application/json; charset=utf-8"},
			{"content-length", "1482"},
			{"cache-control", "private, max-age=0, must-revalidate"},
			{"etag", `"33a64df551425fcc55e4d42a148795d9f25f89d4"`},
			{"vary", "accept-encoding"},
		},
	}
}

func mustFrame(tb testing.TB, b []byte, err error) []byte {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

var sink string

// BenchmarkLimit is the copy that every Parse makes, and nothing else: what
// the figures of BenchmarkParseRequest are to be seen against.
func BenchmarkLimit(b *testing.B) {
	frame, err := AppendRequest(nil, typicalRequest())
	frame = mustFrame(b, frame, err)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		sink = string(frame)
	}
}

func BenchmarkAppendAndParseRequest(b *testing.B) {
	request := typicalRequest()
	dst := make([]byte, 0, request.Size())
	var r Request
	b.SetBytes(int64(request.Size()))
	b.ReportAllocs()
	for b.Loop() {
		frame, err := AppendRequest(dst, request)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	r := typicalRequest()
	dst := make([]byte, 0, r.Size())
	b.SetBytes(int64(r.Size()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendRequest(dst, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	frame, err := AppendRequest(nil, typicalRequest())
	frame = mustFrame(b, frame, err)
	var r Request
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	r := typicalResponse()
	dst := make([]byte, 0, r.Size())
	b.SetBytes(int64(r.Size()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendResponse(dst, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseResponse(b *testing.B) {
	frame, err := AppendResponse(nil, typicalResponse())
	frame = mustFrame(b, frame, err)
	var r Response
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseBody(b *testing.B) {
	frame := AppendBody(nil, 1, make([]byte, 64<<10))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := ParseBody(frame); err != nil {
			b.Fatal(err)
		}
	}
}
