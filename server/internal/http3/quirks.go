package http3

import (
	"io"
	"reflect"
)

// What the server needs of package http3 and the package has no interface for, with a test
// that fails when a new version of quic-go does it differently.

// endsInFrame reports whether the stream has ended in the middle of a DATA frame, which is
// an error (RFC 9114 section 7.1) that package http3 reports as the end of the body.
// Preconditions: the body has been read to its end.
func endsInFrame(body io.Reader) bool {
	left, _ := leftOfFrame(body)
	return left > 0
}

// leftOfFrame returns how many bytes of the last DATA frame have not come. It reads the
// field bytesRemainingInFrame of the stream of a body: type Stream in http3/stream.go, and
// type body in http3/body.go, of quic-go v0.61.0. Known is false for a body without it.
func leftOfFrame(body io.Reader) (left uint64, known bool) {
	v := reflect.Indirect(reflect.ValueOf(body))
	for _, name := range []string{"str", "bytesRemainingInFrame"} {
		if v.Kind() != reflect.Struct {
			return 0, false
		}
		v = reflect.Indirect(v.FieldByName(name))
	}
	if v.Kind() != reflect.Uint64 {
		return 0, false
	}
	return v.Uint(), true
}
