package compress

import (
	"net/http"
	"strings"
)

// hasTag reports whether a list of entity tags in one or several fields contains a tag (RFC
// 9110 section 8.8.3). A tag may contain commas, and a backslash is nothing special.
func hasTag(fields []string, tag string) bool {
	for _, field := range fields {
		for rest := field; rest != ""; {
			var next string
			if next, rest = cutTag(rest); next == tag {
				return true
			}
		}
	}
	return false
}

// cutTag returns the first tag of a list, and the rest of the list. A tag without quotes
// ends at the next comma.
func cutTag(list string) (tag, rest string) {
	list = strings.TrimLeft(list, " \t,")
	quoted, _ := strings.CutPrefix(list, "W/")
	if opaque, ok := strings.CutPrefix(quoted, `"`); ok {
		if end := strings.IndexByte(opaque, '"'); end >= 0 {
			n := len(list) - len(opaque) + end + 1
			return list[:n], list[n:]
		}
	}
	tag, rest, _ = strings.Cut(list, ",")
	return tag, rest
}

// retag gives a 304 the tag of the response which it stands for: a weak one, if that
// response was compressed. A cache would not find it by the strong one (RFC 9111 section
// 4.3.4).
func retag(fields http.Header, r *http.Request) {
	tag, requested := fields.Get("Etag"), r.Header["If-None-Match"]
	if !strings.HasPrefix(tag, `"`) || hasTag(requested, tag) {
		return
	}
	if hasTag(requested, "W/"+tag) || compressibleType(fields.Get("Content-Type")) && codingFor(r) != identity {
		fields["Etag"] = []string{"W/" + tag}
	}
}

// DropWeakRange removes the range from a request that has one on condition of a weak tag,
// which may be that of a compressed response. Such a condition is never met (RFC 9110
// section 13.1.5), and a worker that compares tags loosely would send a part of other
// bytes.
func (c *Compressors) DropWeakRange(fields http.Header) {
	if !c.on || fields["Range"] == nil || len(fields["If-Range"]) == 0 || !strings.HasPrefix(fields["If-Range"][0],
		"W/") {
		return
	}
	delete(fields, "Range")
	delete(fields, "If-Range")
}
