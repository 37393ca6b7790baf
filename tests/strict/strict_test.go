package strict

import (
	"errors"
	"testing"
)

func TestARequestIsReadToItsEnd(t *testing.T) {
	for _, c := range []struct{ text, method, target, body, rest string }{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", "GET", "/", "", "rest"},
		{"\r\nGET /a?b HTTP/1.0\r\n\r\n", "GET", "/a?b", "", ""},
		{"POST / HTTP/1.1\r\nhost:a\r\ncontent-length: 5 \r\n\r\nhellorest", "POST", "/", "hello", "rest"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n" +
			"0A \r\n0123456789\r\n0\r\nA: b\r\n\r\nrest", "POST", "/", "hello0123456789", "rest"},
	} {
		r, rest, err := Read(c.text)
		if err != nil || r.Method != c.method || r.Target != c.target || r.Body != c.body || rest != c.rest {
			t.Errorf("%q: %+v, rest %q, error %v", c.text, r, rest, err)
		}
	}
}

func TestEveryBeginningOfARequestIsShort(t *testing.T) {
	text := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
	for i := range text {
		if _, _, err := Read(text[:i]); !errors.Is(err, ErrShort) {
			t.Errorf("%q: %v", text[:i], err)
		}
	}
}

func TestWhatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
		"GET / HTTP/1.1\r\rHost: a\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n0\r\n\r\n",
	} {
		if r, _, err := Read(text); err == nil || errors.Is(err, ErrShort) {
			t.Errorf("%q: %+v, error %v", text, r, err)
		}
	}
}
