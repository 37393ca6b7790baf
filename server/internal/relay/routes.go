package relay

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// Route sends the requests under a path prefix to a pool. The prefix "/a" matches "/a" and
// "/a/b" but not "/ab".
type Route struct {
	Prefix string
	App    string // name of the pool
	Pool   *dispatch.Pool

	meter *meter.Route
}

// routeTable finds the pool of a path.
type routeTable struct {
	routes []Route // without a slash at the end of the prefix; "" matches all
	only   *Route  // of every path; nil: it depends on the path
}

// newRouteTable sorts the routes so that the first match is the longest.
func newRouteTable(routes []Route, meters *meter.Meters) (t routeTable) {
	for _, r := range routes {
		r.meter = meters.Route(r.App, r.Prefix)
		r.Prefix = strings.TrimRight(r.Prefix, "/")
		t.routes = append(t.routes, r)
	}
	slices.SortStableFunc(t.routes, func(a, b Route) int { return len(b.Prefix) - len(a.Prefix) })
	if len(t.routes) == 1 && t.routes[0].Prefix == "" {
		t.only = &t.routes[0]
	}
	return t
}

func (t *routeTable) find(path string) *Route {
	for i := range t.routes {
		r := &t.routes[i]
		if rest, ok := strings.CutPrefix(path, r.Prefix); ok && (rest == "" || rest[0] == '/' || r.Prefix == "") {
			return r
		}
	}
	return nil
}

// errReadings is the reason to refuse a path that is under one route for some, and under
// another for others.
var errReadings = errors.New("path: not everybody would find it under the same route")

// choose returns the route of a target's path, or nil. The worker gets the path as it came,
// and may remove dot segments, take two slashes for one, or an escaped slash for none: a path
// is refused if that would lead to another pool.
func (t *routeTable) choose(target *url.URL) (*Route, error) {
	if t.only != nil {
		return t.only, nil
	}
	return t.chooseOne(target)
}

func (t *routeTable) chooseOne(target *url.URL) (*Route, error) {
	found := t.find(target.Path)
	if !t.agree(target.Path, found) {
		return nil, errReadings
	}
	if raw := target.RawPath; containsFold(raw, "%2f") && !t.agree(unsplit(raw), found) {
		return nil, errReadings
	}
	return found, nil
}

// agree reports whether each way to read a path leads to a pool.
func (t *routeTable) agree(path string, found *Route) bool {
	dots, slashes := strings.Contains(path, "/."), strings.Contains(path, "//")
	return t.leads(path, found) && (!dots || t.leads(normal(path, true, false), found)) &&
		(!slashes || t.leads(normal(path, false, true), found)) &&
		(!dots || !slashes || t.leads(normal(path, true, true), found))
}

// leads reports whether a path leads to the pool of a route, which is nil for no route.
func (t *routeTable) leads(path string, to *Route) bool {
	found := t.find(path)
	return found == to || found != nil && to != nil && found.Pool == to.Pool
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
// byte that stands in no prefix.
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

func containsFold(s, lower string) bool { return strings.Contains(strings.ToLower(s), lower) }
