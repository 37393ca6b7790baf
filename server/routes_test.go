package server

import (
	"net/url"
	"testing"
)

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

// Routes are no access control: what the worker makes of a path is up to the worker. But
// who reads it differently than we do finds it under the same route.
func TestAPathThatOthersFindUnderAnotherRouteIsRefused(t *testing.T) {
	root, files, admin := &pool{name: "root"}, &pool{name: "files"}, &pool{name: "admin"}
	pools := map[string]*pool{"root": root, "files": files, "admin": admin}
	table := newRouteTable([]Route{{"/", "root"}, {"/files", "files"}, {"/admin", "admin"}, {"/files/old", "files"}}, pools)
	alone, single := newRouteTable([]Route{{"/", "root"}}, pools), newRouteTable([]Route{{"/files", "files"}}, pools)
	for target, want := range map[string]*pool{
		"/files/../admin": nil, "/files/./x": files, "/files/a/../b": files, "/files/..": nil, "/files/.": files, "/files/..a": files, "/files/...": files,
		"/files/%2e%2e/admin": nil, "/files/%2E./admin": nil, "/files/.%2e/admin": nil, "/files/%252e%252e/admin": files,
		"//admin": nil, "/./admin": nil, "///": root, "/x//admin": root, "/files//admin": files, "//files/../x": nil,
		"/files/../admin//../files": nil, "//admin/../x": nil, "/x/../admin": nil, "/x/../y": root,
		"/files%2Fa": nil, "/files%2fa": nil, "/admin%2F..%2Ffiles": nil, "/files/..%2Fadmin": nil, "/files/a%2Fb": files, "/x%2Fy": root, "/%2Fadmin": nil,
		"/admin;x": root, "/admin;x/y": root, "/admin/;x": admin, "/admin%3Bx": root, "/Admin": root, "/admin.": root, "/admin%20": root, "/files\\..\\admin": root,
		"/files/x?../../admin": files, "/files/old/../../admin": nil, "/files/old/..": files,
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		got, err := table.choose(u)
		if got != want || (err != nil) != (want == nil) {
			t.Errorf("%s goes to %v, %v", target, got, err)
		}
		if got, err := alone.choose(u); got != root || err != nil {
			t.Errorf("with one route, %s goes to %v, %v", target, got, err)
		}
	}
	for target, refused := range map[string]bool{"/files/../x": true, "/x/../files": true, "/x/../y": false, "//files": true, "/files%2Fx": true} {
		u, _ := url.ParseRequestURI(target)
		if _, err := single.choose(u); (err != nil) != refused {
			t.Errorf("without a route for the rest, %s: %v", target, err)
		}
	}
}
