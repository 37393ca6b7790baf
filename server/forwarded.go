package server

import (
	"net/netip"
	"strings"
)

// forwarded is an element of a Forwarded field (RFC 7239 section 4): what one proxy
// says of its client. What it does not say is empty.
type forwarded struct {
	node  string // address of the client; or unknown, or a name that hides it
	proto string
	host  string
}

// parseForwarded returns the elements of a Forwarded field in one or several lines, that
// of the nearest proxy last.
func parseForwarded(lines []string) (list []forwarded) {
	for _, text := range splitUnquoted(strings.Join(lines, ","), ',') {
		var f forwarded
		for _, pair := range splitUnquoted(text, ';') {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			switch value = unquoted(value); strings.ToLower(name) {
			case "for":
				f.node = nodeOf(value)
			case "proto":
				f.proto = value
			case "host":
				f.host = value
			}
		}
		if f != (forwarded{}) {
			list = append(list, f)
		}
	}
	return list
}

// splitUnquoted splits a text at a separator outside of quoted strings.
func splitUnquoted(text string, separator byte) (parts []string) {
	from, in := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			in = !in
		case text[i] == '\\' && in:
			i++
		case text[i] == separator && !in:
			parts, from = append(parts, text[from:i]), i+1
		}
	}
	return append(parts, text[from:])
}

// unquoted returns what a token or a quoted string says.
func unquoted(value string) string {
	text, opens := strings.CutPrefix(value, `"`)
	text, closes := strings.CutSuffix(text, `"`)
	if !opens || !closes {
		return value
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// nodeOf returns a node's address without its port and brackets; what has no address,
// as it is.
func nodeOf(text string) string {
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().String()
	}
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.String()
	}
	return text
}
