package header

import (
	"bufio"
	"net/http"
	"strings"
	"unsafe"
)

// net/http adds "Cache-Control: no-cache" to a request of HTTP/1 that has "Pragma:
// no-cache" and says nothing else about caches. The worker is to see what was sent.
// Who has sent both cannot be told from that by the values, but by where they lie: the
// one that is added is a constant of net/http's, and always the same.
var addedNoCache = func() *byte {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\n\r\n")))
	if err != nil || len(r.Header["Cache-Control"]) != 1 {
		return nil // it adds none any more
	}
	return unsafe.StringData(r.Header["Cache-Control"][0])
}()

// madeUp reports whether the values of Cache-Control are those that net/http adds.
func madeUp(values []string) bool {
	return len(values) == 1 && values[0] != "" && unsafe.StringData(values[0]) == addedNoCache
}
