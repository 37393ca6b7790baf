package load

import "testing"

func TestChecksumIsTheSameHoweverABodyIsCut(t *testing.T) {
	const size = 3<<20 + 17
	want := ChecksumOf(size)
	for _, piece := range []int{1 << 20, 64 << 10, 4097, 100} {
		var got Checksum
		for left, at := size, 0; left > 0; {
			n := min(piece, left, len(Payload)-at)
			_, _ = got.Write(Payload[at : at+n])
			left, at = left-n, (at+n)%len(Payload)
		}
		if got != want {
			t.Errorf("in pieces of %d: %+v, want %+v", piece, got, want)
		}
	}
	if want.Sum == 0 || want.Bytes != size {
		t.Errorf("%+v", want)
	}
}

func TestChecksumMissesNoLostLine(t *testing.T) {
	var got Checksum
	_, _ = got.Write(Payload[64:])
	if err := got.check(int64(len(Payload))); err == nil {
		t.Error("a body without its first line passed")
	}
}
