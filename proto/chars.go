package proto

// The class of a byte has one bit for each place in which the byte is not allowed, so
// that one pass over a string tells whether the string is allowed in a place.
const (
	notToken     = 1 << iota // in methods and header names
	notValue                 // in header values
	notPath                  // in paths
	notScheme                // in schemes
	notAuthority             // in authorities

	// upper marks A to Z. It is also the bit that makes them lower-case.
	upper = 'a' - 'A'
)

var classes = func() (t [256]byte) {
	for i := range t {
		t[i] = classOf(byte(i))
	}
	return t
}()

func classOf(c byte) (class byte) {
	switch {
	case c >= 'A' && c <= 'Z':
		return upper
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return 0
	case c == '\t', c == ' ':
		return notToken | notPath | notScheme | notAuthority
	case c < ' ', c == 0x7f:
		return notToken | notValue | notPath | notScheme | notAuthority
	case c >= 0x80:
		return notToken | notScheme | notAuthority
	}
	if !has("!#$%&'*+-.^_`|~", c) { // RFC 9110 section 5.6.2, tchar
		class |= notToken
	}
	if !has("+-.", c) { // RFC 3986 section 3.1
		class |= notScheme
	}
	if !has("-._~!$&'()*+,;=%:@[]", c) { // RFC 3986 section 3.2
		class |= notAuthority
	}
	return class
}

func has(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// scan returns the union of the classes of all bytes of s. It takes four at a time,
// the last four first, because a single chain of ORs, and a loop over a rest of
// unpredictable length, cost more than the look-ups.
func scan(s string) byte {
	var a, b, c, d byte
	if len(s) < 4 {
		for i := range len(s) {
			a |= classes[s[i]]
		}
		return a
	}
	t := s[len(s)-4:]
	a, b, c, d = classes[t[0]], classes[t[1]], classes[t[2]], classes[t[3]]
	for ; len(s) > 4; s = s[4:] {
		a |= classes[s[0]]
		b |= classes[s[1]]
		c |= classes[s[2]]
		d |= classes[s[3]]
	}
	return a | b | c | d
}

// okValue reports whether s is allowed as a header value.
func okValue(s string) bool {
	return plainText(s, ' ') || scan(s)&notValue == 0
}

// okPath reports whether s is allowed as a path.
func okPath(s string) bool {
	return plainText(s, ' '+1) || scan(s)&notPath == 0
}

// indexClass returns the index of the first byte of s that is in class, or
// len(s).
func indexClass(s string, class byte) int {
	for i := range len(s) {
		if classes[s[i]]&class != 0 {
			return i
		}
	}
	return len(s)
}

// lower makes the letters of b lower-case.
func lower(b []byte) {
	for i, c := range b {
		b[i] = c | classes[c]&upper
	}
}
