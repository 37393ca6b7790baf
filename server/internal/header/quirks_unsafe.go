package header

import (
	"bufio"
	"net/http"
	"strings"
	"unsafe"
)

// net/http adds "Cache-Control: no-cache" to a request of HTTP/1 that has "Pragma:
// no-cache" and says nothing else about caches (fixPragmaCacheControl in net/http's
// request.go, Go 1.26). Workers see what the client has sent. The values do not tell a
// request in which the client has sent both, but the place in memory does: the value that
// net/http adds is a constant, and always the same.
var addedNoCache = func() *byte {
	const request = "GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil || len(r.Header["Cache-Control"]) != 1 {
		return nil // net/http adds none any more
	}
	return unsafe.StringData(r.Header["Cache-Control"][0])
}()

// addedByNetHTTP reports whether the values of Cache-Control are those that net/http adds.
func addedByNetHTTP(values []string) bool {
	return len(values) == 1 && values[0] != "" && unsafe.StringData(values[0]) == addedNoCache
}
