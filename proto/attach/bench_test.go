package attach

import "testing"

func BenchmarkEncodeHello(b *testing.B) {
	h := goodHello()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(&h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeHello(b *testing.B) {
	h := goodHello()
	packet, err := Encode(&h)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(packet); err != nil {
			b.Fatal(err)
		}
	}
}
