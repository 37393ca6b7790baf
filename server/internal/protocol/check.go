package protocol

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// Check refuses what net/http does not: a target, an authority or, over HTTP/2 and 3, a
// Host field or a Content-Length that breaks the rules. Over HTTP/1.1 the guard of the
// connection has checked the fields.
func (s *Session) Check(r *http.Request) error {
	if r.Method == http.MethodConnect {
		return nil
	}
	if !s.Pipelined {
		if err := checkFields(r); err != nil {
			return err
		}
	}
	return header.CheckTarget(r)
}

// checkFields refuses a Host field that contradicts the authority (RFC 9113 section 8.3.1,
// RFC 9114 section 4.3.1), and a Content-Length that is invalid or not that of the body.
func checkFields(r *http.Request) error {
	hosts := r.Header["Host"]
	switch {
	case len(hosts) > 1 || len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		return errors.New("host and authority differ")
	case !strings.HasPrefix(r.RequestURI, "/") && !header.AsksServer(r):
		return errors.New("no path")
	case !validLength(r):
		return errors.New("content-length")
	}
	return nil
}

// validLength reports whether there is at most one Content-Length field, with the length
// that the body is taken to have.
func validLength(r *http.Request) bool {
	values := r.Header["Content-Length"]
	for _, value := range values {
		if n, err := strconv.ParseUint(value, 10, 63); err != nil || int64(n) != r.ContentLength {
			return false
		}
	}
	return len(values) <= 1
}
