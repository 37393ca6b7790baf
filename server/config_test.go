package server

import "testing"

func TestRoutesThatMakeNoSenseAreRefused(t *testing.T) {
	for name, routes := range map[string][]Route{
		"none": nil, "no path": {{"a", "x"}}, "no pool": {{"/a", ""}}, "twice": {{"/a", "x"}, {"/a", "y"}},
	} {
		if checkRoutes(routes) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
