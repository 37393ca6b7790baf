package load

import (
	"bytes"
	"fmt"
	"strconv"
)

// Hello is the body of the answer to a small request.
const Hello = "hello, world\n"

var (
	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("content-length:")
	statusOK      = []byte("HTTP/1.1 200 ")
)

// parseHead looks for the head of an HTTP/1.1 response with a Content-Length. It returns
// the lengths of the head and the body, or head = 0 if the head is not complete yet.
func parseHead(b []byte) (head int, body int64, err error) {
	end := bytes.Index(b, endOfHead)
	if end < 0 {
		return 0, 0, nil
	}
	if !bytes.HasPrefix(b, statusOK) {
		return 0, 0, fmt.Errorf("%w: %.200q", errAnswer, b)
	}
	for rest := b[:end]; ; {
		at := bytes.IndexByte(rest, '\n')
		if at < 0 {
			return 0, 0, fmt.Errorf("%w: no Content-Length: %.400q", errAnswer, b[:end])
		}
		rest = rest[at+1:]
		if len(rest) > len(contentLength) && bytes.EqualFold(rest[:len(contentLength)], contentLength) {
			value, _, _ := bytes.Cut(rest[len(contentLength):], endOfHead[:1])
			body, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			return end + len(endOfHead), body, err
		}
	}
}

// containsHello reports whether b contains the first piece of a streaming response.
func containsHello(b []byte) bool { return bytes.Contains(b, []byte(Hello)) }

// parseHello reports whether b is the complete answer to a small request.
func parseHello(b []byte) (bool, error) {
	head, body, err := parseHead(b)
	if err != nil || head == 0 || len(b) < head+int(body) {
		return false, err
	}
	if string(b[head:]) != Hello {
		return false, fmt.Errorf("%w: %.200q", errAnswer, b)
	}
	return true, nil
}
