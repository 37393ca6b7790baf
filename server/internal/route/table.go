// Package route finds out which of several routes a request takes. A path that leads to one
// route for some readers, and to another for others, is refused.
package route

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Rule says which requests take a route: those below Prefix, or those that Match matches.
type Rule struct {
	Prefix string // "/a" is "/a" and all below it; empty: Match counts
	Match  Match
	Strip  string // beginning of the path that is removed; empty: none
}

// Match matches a request if each of its parts does. The zero value matches every request.
type Match struct {
	Hosts   []string          // patterns; empty: any
	Paths   []string          // patterns; empty: any
	Methods []string          // empty: any
	Header  map[string]string // exact values by name; "*": any value
}

// matcher is a compiled rule.
type matcher struct {
	index   int // of the rule
	hosts   []hostPattern
	paths   []pathPattern
	methods []string
	fields  []field
	strip   string
}

// field is what a matcher wants of the header.
type field struct{ name, value string }

const anyValue = "*"

// Table finds the route of a request. It is used by many goroutines and never changes.
type Table struct {
	matchers []matcher
	only     bool // the first, which is the only one, takes every request as it is
}

// None is the index of no route.
const None = -1

// New compiles rules. Those with a Match come before those with a Prefix, and of the latter
// the longest first. It returns an error for a rule that is invalid, stands twice, or can
// never match.
func New(rules []Rule) (*Table, error) {
	t := &Table{}
	for i, rule := range rules {
		m, err := compile(&rule)
		if err != nil {
			return nil, err
		}
		m.index = i
		t.matchers = append(t.matchers, m)
	}
	slices.SortStableFunc(t.matchers, func(a, b matcher) int {
		return prefixLength(rules[a.index].Prefix) - prefixLength(rules[b.index].Prefix)
	})
	if err := t.checkReached(rules); err != nil {
		return nil, err
	}
	t.only = len(t.matchers) == 1 && t.matchers[0].everything() && t.matchers[0].strip == ""
	return t, nil
}

// prefixLength sorts prefixes: the longest first, behind rules without one.
func prefixLength(prefix string) int {
	if prefix == "" {
		return -1 << 31
	}
	return -len(strings.TrimRight(prefix, "/"))
}

// checkReached returns an error if a rule comes behind one that takes all requests, or has
// the same prefix as another.
func (t *Table) checkReached(rules []Rule) error {
	seen := map[string]bool{"": true}
	for i := range t.matchers {
		m := &t.matchers[i]
		prefix := rules[m.index].Prefix
		switch {
		case prefix != "" && seen[prefix]:
			return fmt.Errorf("route %q stands twice", prefix)
		case i > 0 && t.matchers[i-1].everything():
			return fmt.Errorf("route %d never gets a request: route %d takes all of them",
				m.index+1, t.matchers[i-1].index+1)
		}
		seen[prefix] = true
	}
	return nil
}

func compile(r *Rule) (m matcher, err error) {
	if r.Prefix != "" {
		return compilePrefix(r)
	}
	for _, pattern := range r.Match.Hosts {
		host, err := compileHost(pattern)
		if err != nil {
			return m, err
		}
		m.hosts = append(m.hosts, host)
	}
	for _, pattern := range r.Match.Paths {
		path, err := compilePath(pattern)
		if err != nil {
			return m, err
		}
		m.paths = append(m.paths, path)
	}
	if m.methods, err = checkMethods(r.Match.Methods); err != nil {
		return m, err
	}
	for name, value := range r.Match.Header {
		if name == "" || value == "" {
			return m, fmt.Errorf("header %q: %q: want a name, and a value or *", name, value)
		}
		m.fields = append(m.fields, field{http.CanonicalHeaderKey(name), value})
	}
	m.strip, err = compileStrip(r.Strip)
	return m, err
}

func compilePrefix(r *Rule) (m matcher, err error) {
	switch {
	case !strings.HasPrefix(r.Prefix, "/"):
		return m, fmt.Errorf("route %q: a prefix starts with /", r.Prefix)
	case len(r.Match.Hosts)+len(r.Match.Paths)+len(r.Match.Methods)+len(r.Match.Header) > 0:
		return m, fmt.Errorf("route %q: it has a prefix and a match: write the prefix as a path of the match, with /* "+
			"at the end", r.Prefix)
	}
	m.paths = []pathPattern{prefixPattern(r.Prefix)}
	m.strip, err = compileStrip(r.Strip)
	return m, err
}

func checkMethods(methods []string) ([]string, error) {
	for _, method := range methods {
		if method == "" || strings.ToUpper(method) != method || strings.ContainsAny(method, " *,") {
			return nil, fmt.Errorf("method %q: want a name in capitals, such as GET", method)
		}
	}
	return methods, nil
}

func compileStrip(prefix string) (string, error) {
	if prefix == "" {
		return "", nil
	}
	text := strings.TrimRight(prefix, "/")
	if !strings.HasPrefix(prefix, "/") || text == "" || strings.Contains(text, "*") {
		return "", fmt.Errorf("strip-prefix %q: want a path such as /api", prefix)
	}
	if err := checkSegments(text); err != nil {
		return "", fmt.Errorf("strip-prefix %q: %w", prefix, err)
	}
	return text, nil
}

// everything reports whether m matches every request.
func (m *matcher) everything() bool {
	anyPath := len(m.paths) == 0 || slices.ContainsFunc(m.paths, func(p pathPattern) bool { return p.everything() })
	return anyPath && len(m.hosts) == 0 && len(m.methods) == 0 && len(m.fields) == 0
}

// errReadings is the reason to refuse a path that takes one route for some, and another for
// others.
var errReadings = errors.New("path: not everybody would find it under the same route")

// Choose returns the index of the rule that a request takes, or None. Who serves the request
// gets the path as it came, and may remove dot segments, take two slashes for one, or an
// escaped slash for none: a path is refused if that would lead to another route.
func (t *Table) Choose(r *http.Request) (int, error) {
	if t.only {
		return 0, nil
	}
	return t.choose(r)
}

func (t *Table) choose(r *http.Request) (int, error) {
	found := t.find(r, r.URL.Path)
	if mayBeReadTwice(r.URL) {
		for _, other := range readings(r.URL) {
			if m := t.find(r, other); m != found || !m.agrees(r.URL.Path, other) {
				return None, errReadings
			}
		}
	}
	if found == nil {
		return None, nil
	}
	return found.index, nil
}

// find returns the matcher of a request if its path is read in one way, or nil.
func (t *Table) find(r *http.Request, path string) *matcher {
	for i := range t.matchers {
		if m := &t.matchers[i]; m.match(r, path) {
			return m
		}
	}
	return nil
}

func (m *matcher) match(r *http.Request, path string) bool {
	return (m.paths == nil || m.matchPath(path)) && (m.methods == nil || slices.Contains(m.methods, r.Method)) &&
		(m.hosts == nil || m.matchHost(r.Host)) && (m.fields == nil || m.matchHeader(r.Header))
}

func (m *matcher) matchPath(path string) bool {
	for i := range m.paths {
		if m.paths[i].match(path) {
			return true
		}
	}
	return false
}

func (m *matcher) matchHost(authority string) bool {
	host := hostOf(authority)
	for i := range m.hosts {
		if m.hosts[i].match(host) {
			return true
		}
	}
	return false
}

func (m *matcher) matchHeader(header http.Header) bool {
	for i := range m.fields {
		f := &m.fields[i]
		if values := header[f.name]; len(values) == 0 || f.value != anyValue && !slices.Contains(values, f.value) {
			return false
		}
	}
	return true
}

// mayBeReadTwice reports whether there is more than one way to read the path of a target.
func mayBeReadTwice(target *url.URL) bool {
	path, raw := target.Path, target.RawPath
	return strings.Contains(path, "/.") || strings.Contains(path, "//") ||
		raw != "" && strings.Contains(strings.ToLower(raw), "%2f")
}
