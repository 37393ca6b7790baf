package http1

import (
	"bufio"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fastHeads are heads that the fast path takes.
var fastHeads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD /a/b;c?d=e&f HTTP/1.1\r\nhost: a.b:80\r\nConnection: keep-alive\r\n\r\n",
	"DELETE /? HTTP/1.1\r\nHost: [::1]:80\r\nconnection: close\r\nX-A:\t 1 \t\r\nx-a: 2\r\n\r\n",
	"OPTIONS /a:b@c?d=/e?f HTTP/1.1\r\nX-Empty:\r\nHost: a\r\nCookie: a=b; c=\"d\"\r\nX-Text: \xc3\xa9\r\n\r\n",
}

// slowHeads are heads that it leaves to net/http.
var slowHeads = []string{
	"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
	"get / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
	"GET / http/1.1\r\nHost: a\r\n\r\n",
	"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET //a HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /a|b HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /\xc3 HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n X: 1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\n",
}

func newFastRequest() *FastRequest {
	return &FastRequest{Request: http.Request{Header: http.Header{}}}
}

func TestSimpleHeadsAreTakenAndAllOthersLeftToNetHTTP(t *testing.T) {
	p := newFastRequest()
	for _, head := range fastHeads {
		if !p.parse(head) {
			t.Errorf("%q is left to net/http", head)
		}
	}
	for _, head := range slowHeads {
		if p.parse(head) {
			t.Errorf("%q is ConnState", head)
		}
	}
	many := "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", maxFields+1)
	if p.parse(many+"\r\n") || !p.parse(strings.TrimSuffix(many, "X: 1\r\nX: 1\r\n")+"X: 1\r\n\r\n") {
		t.Error("the number of fields")
	}
}

// What we take, net/http reads in the same way.
func FuzzAFastRequestIsWhatNetHTTPReads(f *testing.F) {
	for _, head := range slices.Concat(fastHeads, slowHeads) {
		f.Add(head)
	}
	p := newFastRequest()
	f.Fuzz(func(t *testing.T, head string) {
		end := headEnd([]byte(head))
		if end == 0 || !p.parse(head[:end]) {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head[:end])))
		if err != nil {
			t.Fatalf("%q: net/http says %v", head, err)
		}
		same := p.Method == want.Method && p.RequestURI == want.RequestURI && p.Host == want.Host &&
			p.Close == want.Close
		if !same || *p.URL != *want.URL {
			t.Fatalf("%q: %+v, net/http reads %+v", head, &p.Request, want)
		}
		if want.ContentLength != 0 || want.TransferEncoding != nil || want.Trailer != nil {
			t.Fatalf("%q has a body", head)
		}
		if !maps.EqualFunc(p.Header, want.Header, slices.Equal) {
			t.Fatalf("%q: fields %v, net/http reads %v", head, p.Header, want.Header)
		}
	})
}
