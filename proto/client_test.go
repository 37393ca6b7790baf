package proto

import "testing"

func TestOnlyTheFirstFieldSaysWhoTheClientIs(t *testing.T) {
	client, other := Field{ClientField, "203.0.113.7:40001"}, Field{"a", "b"}
	for _, c := range []struct {
		fields []Field
		want   string
		rest   int
	}{
		{nil, "", 0}, {[]Field{other}, "", 1}, {[]Field{client}, client.Value, 0},
		{[]Field{client, other}, client.Value, 1}, {[]Field{other, client}, "", 2},
	} {
		if got, rest := (&Request{Fields: c.fields}).Client(); got != c.want || len(rest) != c.rest {
			t.Errorf("%v: %q, and %v", c.fields, got, rest)
		}
	}
}
