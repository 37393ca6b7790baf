package route

import (
	"net/url"
	"strings"
)

// readings returns the other ways to read the path of a target.
func readings(target *url.URL) (list []string) {
	list = appendNormal(nil, target.Path)
	if strings.Contains(strings.ToLower(target.RawPath), "%2f") {
		whole := unsplit(target.RawPath)
		list = appendNormal(append(list, whole), whole)
	}
	return list
}

// appendNormal adds the forms into which somebody may bring a path.
func appendNormal(list []string, path string) []string {
	dots, slashes := strings.Contains(path, "/."), strings.Contains(path, "//")
	if dots {
		list = append(list, normal(path, true, false))
	}
	if slashes {
		list = append(list, normal(path, false, true))
	}
	if dots && slashes {
		list = append(list, normal(path, true, true))
	}
	return list
}

// normal returns a path without dot segments (RFC 3986 section 5.2.4), or with one slash in
// place of several.
func normal(path string, dots, slashes bool) string {
	var kept []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case dots && segment == "..":
			kept = kept[:max(len(kept)-1, 0)]
		case dots && segment == ".", slashes && segment == "":
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// unsplit decodes an escaped path, except for the escaped slashes: in place of them it has a
// byte that stands in no pattern.
func unsplit(raw string) string {
	segments := strings.Split(raw, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return "" // cannot be: it was decoded before
		}
		segments[i] = strings.ReplaceAll(decoded, "/", "\x00")
	}
	return strings.Join(segments, "/")
}
