package server

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/route"
)

// Route sends requests to a pool of workers. Those without a Prefix are tried first, in
// their order, and the first that matches takes the request; then come those with a Prefix,
// of which the longest takes it.
type Route struct {
	// Name stands for the route in metrics and logs. Empty: its prefix, or host and path.
	Name string
	// Prefix takes the requests below a path: "/a" is "/a" and "/a/b", but not "/ab". A route
	// has a Prefix or a Match.
	Prefix string
	// Match takes the requests that it matches. The zero value matches every request.
	Match Match

	// Pool has the workers that serve the requests.
	Pool string
}

// Match matches a request if each of its parts does.
type Match struct {
	// Hosts are names: www.example.org, or *.example.org for all names below example.org, at
	// any depth, but not example.org itself. Case, the port, and a dot at the end do not
	// count. A name that is not ASCII is written as clients send it, with xn--. Empty: any.
	Hosts []string
	// Paths are decoded paths: /exact is this one; /api/* is /api and all below it; in
	// /users/*/posts the * stands for one segment; *.php is every path that ends so. Case
	// counts. Empty: any.
	Paths []string
	// Methods are names in capitals. Empty: any.
	Methods []string
	// Header has the values that fields have to have, by name; "*" is any value. Of several
	// fields of the same name one has to have it.
	Header map[string]string
}

// rule returns what the route has to know to choose.
func (r *Route) rule() route.Rule { return route.Rule{Prefix: r.Prefix, Match: route.Match(r.Match)} }

// name returns the name of the route, which has one if it has a prefix, a host or a path.
func (r *Route) name() string {
	return cmp.Or(r.Name, r.Prefix, strings.Join(slices.Concat(r.Match.Hosts, r.Match.Paths), " "), "default")
}

// checkRoutes returns an error for routes that make no sense.
func checkRoutes(routes []Route) error {
	if len(routes) == 0 {
		return errors.New("no routes")
	}
	rules := make([]route.Rule, len(routes))
	for i := range routes {
		if routes[i].Pool == "" {
			return fmt.Errorf("route %q: no pool", routes[i].name())
		}
		rules[i] = routes[i].rule()
	}
	_, err := route.New(rules)
	return err
}
