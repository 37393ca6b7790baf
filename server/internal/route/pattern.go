package route

import (
	"errors"
	"fmt"
	"strings"
)

// pathPattern is a compiled pattern of paths:
//
//	/exact           this path
//	/api/*           /api and all that is below it; /* is every path
//	/users/*/posts   a * between slashes stands for one segment that is not empty
//	*.php            paths that end so
//
// The segments of a pattern are plain text, not escaped: it is compared with decoded paths.
type pathPattern struct {
	text     string   // without stars
	segments []string // nil: none of them is a star
	below    bool     // and all that is below
	suffix   bool     // text is the end of the path
}

func compilePath(pattern string) (p pathPattern, err error) {
	if ending, ok := strings.CutPrefix(pattern, "*"); ok {
		if ending == "" || strings.Contains(ending, "*") {
			return p, fmt.Errorf("path %q: want one * and an ending, such as *.php; /* is every path", pattern)
		}
		return pathPattern{text: ending, suffix: true}, nil
	}
	if !strings.HasPrefix(pattern, "/") {
		return p, fmt.Errorf("path %q: want a / or a * at the beginning", pattern)
	}
	p.text, p.below = strings.CutSuffix(pattern, "/*")
	if err := checkSegments(p.text); err != nil {
		return p, fmt.Errorf("path %q: %w", pattern, err)
	}
	if strings.Contains(p.text, "*") {
		p.segments = strings.Split(p.text, "/")[1:]
	}
	return p, nil
}

// checkSegments refuses segments that no path has when all readers of it agree.
func checkSegments(text string) error {
	if strings.ContainsAny(text, "?#\x00") {
		return errors.New("a path has no query, fragment or NUL")
	}
	for i, segment := range strings.Split(text, "/") {
		switch {
		case segment == "." || segment == "..":
			return errors.New("a path has no dot segments")
		case segment == "" && i > 0 && i < strings.Count(text, "/"):
			return errors.New("a path has no empty segments")
		case strings.Contains(segment, "*") && segment != "*":
			return errors.New("a * stands for a whole segment, or for the beginning of the path")
		}
	}
	return nil
}

// prefixPattern returns the pattern of a prefix and all that is below it.
func prefixPattern(prefix string) pathPattern {
	return pathPattern{text: strings.TrimRight(prefix, "/"), below: true}
}

func (p *pathPattern) everything() bool { return p.below && p.text == "" }

func (p *pathPattern) match(path string) bool {
	switch {
	case p.suffix:
		return strings.HasSuffix(path, p.text)
	case p.segments != nil:
		return p.matchSegments(path)
	case p.below:
		return isBelow(path, p.text)
	}
	return path == p.text
}

// isBelow reports whether a path is a prefix, which has no slash at the end, or below it.
func isBelow(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || prefix == "")
}

func (p *pathPattern) matchSegments(path string) bool {
	for _, want := range p.segments {
		rest, ok := strings.CutPrefix(path, "/")
		if !ok {
			return false
		}
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		segment := rest[:end]
		if segment != want && (want != "*" || segment == "") {
			return false
		}
		path = rest[end:]
	}
	return path == "" || p.below
}

// hostPattern is a compiled pattern of hosts: a name, or *.NAME for all names below it.
type hostPattern struct {
	name  string // in lower case; with a dot before it if below
	below bool
}

func compileHost(pattern string) (p hostPattern, err error) {
	p.name, p.below = strings.CutPrefix(strings.ToLower(pattern), "*")
	switch {
	case p.below && len(p.name) < 2, p.below && p.name[0] != '.':
		return p, fmt.Errorf("host %q: want a name, or *. and a name", pattern)
	case strings.ContainsFunc(p.name, func(c rune) bool { return c > '~' }):
		return p, fmt.Errorf("host %q: want the form that clients send, which begins with xn--", pattern)
	case p.name == "" || strings.ContainsAny(p.name, "*/ @?#"):
		return p, fmt.Errorf("host %q: want a name, or *. and a name", pattern)
	case hostOf(p.name) != p.name:
		return p, fmt.Errorf("host %q: want no port, and no dot at the end", pattern)
	}
	return p, nil
}

func (p *hostPattern) match(host string) bool {
	if !p.below {
		return strings.EqualFold(host, p.name)
	}
	start := len(host) - len(p.name)
	return start > 0 && strings.EqualFold(host[start:], p.name)
}

// hostOf returns the host of an authority, without the port and without the dot that ends a
// name in full.
func hostOf(authority string) string {
	if end := strings.LastIndexByte(authority, ']'); end >= 0 {
		return authority[:end+1]
	}
	if colon := strings.LastIndexByte(authority, ':'); colon >= 0 {
		authority = authority[:colon]
	}
	return strings.TrimSuffix(authority, ".")
}
