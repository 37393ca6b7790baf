package attach

import (
	"errors"
	"reflect"
	"testing"
)

func FuzzMessage(f *testing.F) {
	h := goodHello()
	seed, err := Encode(&h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
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
