package server

import "testing"

func TestTheLongestPrefixWins(t *testing.T) {
	root, a, ab := &pool{name: "root"}, &pool{name: "a"}, &pool{name: "ab"}
	table := newRouteTable([]Route{{"/a", "a"}, {"/", "root"}, {"/a/b/", "ab"}}, map[string]*pool{"root": root, "a": a, "ab": ab})
	for path, want := range map[string]*pool{
		"/": root, "": root, "*": root, "/x": root, "/ab": root, "/a": a, "/a/": a, "/a/x": a, "/a/bc": a, "/a/b": ab, "/a/b/": ab, "/a/b/c": ab,
	} {
		if got := table.find(path); got != want {
			t.Errorf("%q goes to %v, want %s", path, got, want.name)
		}
	}
}

func TestWithoutARootRouteOtherPathsHaveNoPool(t *testing.T) {
	table := newRouteTable([]Route{{"/a", "a"}}, map[string]*pool{"a": {name: "a"}})
	for _, path := range []string{"/", "/b", "/ab", ""} {
		if got := table.find(path); got != nil {
			t.Errorf("%q goes to %s", path, got.name)
		}
	}
}

func TestRoutesThatMakeNoSenseAreRefused(t *testing.T) {
	for name, routes := range map[string][]Route{
		"none": nil, "no path": {{"a", "x"}}, "no pool": {{"/a", ""}}, "twice": {{"/a", "x"}, {"/a", "y"}},
	} {
		if checkRoutes(routes) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
