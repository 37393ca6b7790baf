package proto

import (
	"bytes"
	"reflect"
	"testing"
)

// The property of all of these: what decodes also encodes, and what that gives
// decodes to the same.

func FuzzRequest(f *testing.F) {
	frame, err := AppendRequest(nil, typicalRequest())
	f.Add(mustFrame(f, frame, err))
	fuzzKind(f, "request")
}

func FuzzResponse(f *testing.F) {
	frame, err := AppendResponse(nil, typicalResponse())
	f.Add(mustFrame(f, frame, err))
	fuzzKind(f, "response")
}

func FuzzFields(f *testing.F) {
	list, err := AppendFields(nil, typicalRequest().Fields)
	f.Add(mustFrame(f, list, err))
	fuzzKind(f, "fields")
}

func FuzzBody(f *testing.F) {
	f.Add(AppendBody(nil, 1, bytes.Repeat([]byte("body"), 100)))
	fuzzKind(f, "body")
}

func fuzzKind(f *testing.F, kind string) {
	for _, v := range hpksVectors(f) {
		f.Add([]byte(v.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, n, err := parseKind(kind, b)
		if err != nil {
			return
		}
		if n > len(b) {
			t.Fatalf("consumed %d of %d bytes", n, len(b))
		}
		encoded, err := appendDecoded(nil, first)
		if err != nil {
			t.Fatalf("%+v was decoded, but: %v", first, err)
		}
		if len(encoded) > n+1 { // the one is the "/" of an empty path
			t.Errorf("%d bytes became %d", n, len(encoded))
		}
		second, n, err := parseKind(kind, encoded)
		if err != nil || n != len(encoded) {
			t.Fatalf("%x was encoded, but: %d of %d bytes, %v", encoded, n, len(encoded), err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Errorf("%+v became %+v", first, second)
		}
	})
}
