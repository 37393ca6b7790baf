package proto

import (
	"bytes"
	"errors"
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

func FuzzMessage(f *testing.F) {
	h := goodHello()
	seed, err := Encode(&h)
	f.Add(mustFrame(f, seed, err))
	for _, v := range messageVectors(f) {
		f.Add([]byte(v.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := Decode(b)
		if err != nil {
			return
		}
		if h, ok := first.(*Hello); ok {
			checkRefusal(t, h.Validate())
		}
		encoded, err := Encode(first)
		if errors.Is(err, ErrMessageTooLong) { // the keys that b left out
			return
		}
		if err != nil {
			t.Fatalf("%+v was decoded, but: %v", first, err)
		}
		second, err := Decode(encoded)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%+v became %+v, %v", first, second, err)
		}
	})
}

// checkRefusal makes sure that what Validate returns can be sent.
func checkRefusal(t *testing.T, err error) {
	var refusal *Refusal
	if err == nil {
		return
	}
	if !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	if _, err := Encode(refusal); err != nil {
		t.Error(err)
	}
}
