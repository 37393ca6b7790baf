package proto

// Nearly every byte of a frame is a visible ASCII character, which values and paths
// allow. This file recognizes strings of such bytes eight at a time. The table of classes
// decides about all others.

const (
	wordBytes = 8

	ones  = 0x0101010101010101 // a word of eight bytes of 1
	highs = 0x80 * ones        // the top bit of each
)

// plainText reports that s has neither DEL nor a byte below least. It says
// false of a string shorter than a word, and may say so of others.
func plainText(s string, least uint64) bool {
	if len(s) < wordBytes {
		return false
	}
	bad := suspects(load(s[len(s)-wordBytes:]), least)
	for ; len(s) > wordBytes; s = s[wordBytes:] {
		bad |= suspects(load(s), least)
	}
	return bad&highs == 0
}

// suspects sets the top bit of each byte of w that is DEL or below least, and
// may set that of the byte above one of those or above an 0xff.
//
// Preconditions: least is at most 0x80.
func suspects(w, least uint64) uint64 {
	return ((w - least*ones) | (w + ones)) &^ w
}

// load returns the first eight bytes of s, the first of them lowest. The
// compiler turns it into one load.
func load(s string) uint64 {
	_ = s[wordBytes-1]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
