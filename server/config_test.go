package server

import "testing"

func TestRoutesThatMakeNoSenseAreRefused(t *testing.T) {
	for name, routes := range map[string][]Route{
		"none":    nil,
		"no path": {{Prefix: "a", Pool: "x"}},
		"no pool": {{Prefix: "/a"}},
		"twice":   {{Prefix: "/a", Pool: "x"}, {Prefix: "/a", Pool: "y"}},
	} {
		if checkRoutes(routes) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
