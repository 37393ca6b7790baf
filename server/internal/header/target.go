package header

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// CheckTarget refuses a target that recipients could take for different ones: it has to be
// in origin form, or in the absolute form of http and https (RFC 9112 section 3.2), in the
// characters that are allowed, with a valid authority.
func CheckTarget(r *http.Request) error {
	switch {
	case !strings.HasPrefix(r.RequestURI, "/") && !absoluteForm(r) && !AsksServer(r):
		return errors.New("target")
	case strings.ContainsFunc(r.RequestURI, notInTarget):
		return errors.New("characters in target")
	case !validAuthority(r.Host) && (r.Host != "" || r.ProtoAtLeast(1, 1)):
		return errors.New("authority")
	case strings.Contains(r.URL.Path, "\x00") || Climbs(r.URL.Path):
		return errors.New("path")
	}
	return nil
}

// AsksServer reports whether a request is about the server as a whole (asterisk form, RFC
// 9110 section 9.3.7).
func AsksServer(r *http.Request) bool { return r.Method == http.MethodOptions && r.RequestURI == "*" }

func absoluteForm(r *http.Request) bool {
	u := r.URL
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// notInTarget reports whether a target cannot have this character. Some that RFC 3986
// requires to be escaped pass, since browsers or curl do not escape them.
func notInTarget(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }

// Climbs reports whether a path leads out of the root: a worker that maps it to files, or
// to prefixes, may follow.
func Climbs(path string) bool {
	depth := 0
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

// validAuthority reports whether an authority has a host, perhaps a port, and nothing
// else (RFC 3986 section 3.2).
func validAuthority(s string) bool {
	host, port := s, ""
	if colon := strings.LastIndexByte(s, ':'); colon >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:colon], s[colon+1:]
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
		return false
	}
	if literal, ok := strings.CutPrefix(host, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		return err == nil && address.Is6() && address.Zone() == "" && strings.HasSuffix(literal, "]")
	}
	return validName(host)
}

// validName reports whether a host is a registered name, or an IPv4 address.
func validName(host string) bool {
	for i := 0; i < len(host); i++ {
		switch char := host[i]; {
		case isAlphanumeric(char), strings.IndexByte("-._~!$&'()*+,;=", char) >= 0:
		case char == '%' && i+2 < len(host) && isHex(host[i+1]) && isHex(host[i+2]):
			i += 2
		default:
			return false
		}
	}
	return host != ""
}

func isAlphanumeric(char byte) bool {
	return char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z' || char >= '0' && char <= '9'
}

func isHex(char byte) bool {
	return char >= '0' && char <= '9' || char >= 'a' && char <= 'f' || char >= 'A' && char <= 'F'
}
