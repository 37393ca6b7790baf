package route

import "github.com/wavey-ai/upload-response/server/internal/header"

// Strip removes a prefix from an escaped path, perhaps with a query. The rest begins with a
// slash. It reports false if the path is not below the prefix. Preconditions: Choose has
// returned the rule that has the prefix.
func Strip(target, prefix string) (rest string, ok bool) {
	at := 0
	for i := 0; i < len(prefix); i++ {
		char, n := decode(target[at:])
		if n == 0 || char != prefix[i] {
			return target, false
		}
		at += n
	}
	switch rest = target[at:]; {
	case rest == "":
		return "/", true
	case rest[0] == '/':
		return rest, true
	case rest[0] == '?':
		return "/" + rest, true
	}
	return target, false
}

// decode returns the first character of an escaped path, and how many bytes it takes; 0 if
// the path ends here.
func decode(target string) (char byte, n int) {
	switch {
	case target == "" || target[0] == '?':
		return 0, 0
	case target[0] == '%' && len(target) > 2:
		return unhex(target[1])<<4 | unhex(target[2]), 3
	}
	return target[0], 1
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

// agrees reports whether two readings of a path agree on what the prefix of m leaves of it.
// A nil m has no prefix.
func (m *matcher) agrees(path, other string) bool {
	if m == nil || m.strip == "" {
		return true
	}
	below := isBelow(path, m.strip)
	return below == isBelow(other, m.strip) && (!below || !header.Climbs(path[len(m.strip):]))
}
