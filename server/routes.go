package server

import (
	"fmt"
	"slices"
	"strings"
)

// checkRoutes returns an error for a prefix that is no path or stands twice.
func checkRoutes(routes []Route) error {
	seen := map[string]bool{}
	for _, r := range routes {
		switch {
		case !strings.HasPrefix(r.Prefix, "/"):
			return fmt.Errorf("route %q: a prefix starts with /", r.Prefix)
		case r.Pool == "":
			return fmt.Errorf("route %q: no pool", r.Prefix)
		case seen[r.Prefix]:
			return fmt.Errorf("route %q stands twice", r.Prefix)
		}
		seen[r.Prefix] = true
	}
	if len(routes) == 0 {
		return fmt.Errorf("no routes")
	}
	return nil
}

// routeTable finds the pool of a path.
type routeTable []routeEntry

type routeEntry struct {
	prefix string // without a trailing slash; "" matches all
	pool   *pool
}

// newRouteTable sorts the routes so that the first match is the longest.
func newRouteTable(routes []Route, pools map[string]*pool) routeTable {
	table := make(routeTable, 0, len(routes))
	for _, r := range routes {
		table = append(table, routeEntry{prefix: strings.TrimRight(r.Prefix, "/"), pool: pools[r.Pool]})
	}
	slices.SortStableFunc(table, func(a, b routeEntry) int { return len(b.prefix) - len(a.prefix) })
	return table
}

func (t routeTable) find(path string) *pool {
	for _, e := range t {
		if rest, ok := strings.CutPrefix(path, e.prefix); ok && (rest == "" || rest[0] == '/' || e.prefix == "") {
			return e.pool
		}
	}
	return nil
}
