package header

import (
	"net/netip"
	"strconv"
	"strings"
)

// Hop is what one proxy says of its client, as an element of a Forwarded field
// (RFC 7239 section 4). A part that the proxy does not say is empty.
type Hop struct {
	Node  string // of the client, see ParseNode
	Proto string
	Host  string
}

// ParseForwarded returns the elements of a Forwarded field in one or several lines, that
// of the nearest proxy last. An element that breaks the rules is empty: a client that opens
// a quoted string at the end of one would make those behind it part of it.
func ParseForwarded(lines []string) (list []Hop) {
	for _, line := range lines {
		for _, text := range splitUnquoted(line, ',') {
			if strings.TrimSpace(text) != "" {
				list = append(list, parseElement(text))
			}
		}
	}
	return list
}

func parseElement(text string) (f Hop) {
	seen := map[string]bool{}
	for _, pair := range splitUnquoted(text, ';') {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = strings.ToLower(name)
		value, ok := unquoted(value)
		if !ok || strings.ContainsAny(name, `"\ `) || seen[name] {
			return Hop{}
		}
		seen[name] = true
		switch name {
		case "for":
			f.Node = value
		case "proto":
			f.Proto = value
		case "host":
			f.Host = value
		}
	}
	return f
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

// unquoted returns what a token or a quoted string says, and whether it is one. Tokens may
// have the colons and brackets that proxies write without quotes.
func unquoted(value string) (text string, ok bool) {
	if !strings.HasPrefix(value, `"`) {
		return value, value != "" && !strings.ContainsAny(value, "\"\\ \t")
	}
	var b strings.Builder
	for i := 1; i < len(value); i++ {
		switch {
		case value[i] == '"':
			return b.String(), i == len(value)-1
		case value[i] == '\\' && i+1 < len(value):
			i++
		}
		b.WriteByte(value[i])
	}
	return "", false
}

// ParseForwardedFor returns the elements of an X-Forwarded-For field in one or several lines, that
// of the nearest proxy last.
func ParseForwardedFor(lines []string) (list []Hop) {
	for _, node := range Elements(lines) {
		list = append(list, Hop{Node: node})
	}
	return list
}

// ParseNode returns the address and the port of a node: as RFC 7239 section 6 has them, or
// with quotes, without brackets, or with a zone, as some proxies write them. The port is 0
// if the proxy does not say it.
func ParseNode(text string) (node netip.AddrPort, ok bool) {
	if quoted, ok := unquoted(text); ok {
		text = quoted
	}
	host, port := text, ""
	if literal, bracketed := strings.CutPrefix(text, "["); bracketed {
		if host, port, ok = strings.Cut(literal, "]"); !ok || port != "" && port[0] != ':' {
			return node, false
		}
		port = strings.TrimPrefix(port, ":")
	} else if strings.Count(text, ":") == 1 {
		host, port, _ = strings.Cut(text, ":")
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return node, false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil && port != "" && port[0] != '_' { // or it is hidden
		return node, false
	}
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(number)), true
}

// Nodes returns the addresses of the elements, for an X-Forwarded-For field.
func Nodes(elements []Hop) (nodes []string) {
	for i := range elements {
		nodes = append(nodes, nodeOf(elements[i].Node))
	}
	return nodes
}

// nodeOf returns the address of a node; of one that hides it, the name.
func nodeOf(node string) string {
	if addr, ok := ParseNode(node); ok {
		return addr.Addr().String()
	}
	if strings.HasPrefix(node, "_") && !strings.ContainsFunc(node, notInName) {
		return node
	}
	return "unknown"
}

// notInName reports whether the name of a hidden node cannot have this character.
func notInName(r rune) bool {
	return r > 'z' || !isAlphanumeric(byte(r)) && !strings.ContainsRune("._-", r)
}
