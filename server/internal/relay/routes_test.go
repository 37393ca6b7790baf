package relay

import (
	"net/url"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// testPools are pools by their names.
type testPools map[string]*dispatch.Pool

// table makes a table of prefixes and names of pools, in turns.
func (p testPools) table(routes ...string) *routeTable {
	var list []Route
	for i := 0; i < len(routes); i += 2 {
		list = append(list, Route{Prefix: routes[i], App: routes[i+1], Pool: p[routes[i+1]]})
	}
	table := newRouteTable(list, meter.New(nil))
	return &table
}

func (p testPools) nameOf(pool *dispatch.Pool) string {
	for name, own := range p {
		if own == pool {
			return name
		}
	}
	return "none"
}

// poolOf returns the pool of a route, or nil.
func poolOf(r *Route) *dispatch.Pool {
	if r == nil {
		return nil
	}
	return r.Pool
}

func TestTheLongestPrefixWins(t *testing.T) {
	root, a, ab := new(dispatch.Pool), new(dispatch.Pool), new(dispatch.Pool)
	pools := testPools{"root": root, "a": a, "ab": ab}
	table := pools.table("/a", "a", "/", "root", "/a/b/", "ab")
	for path, want := range map[string]*dispatch.Pool{
		"/": root, "": root, "*": root, "/x": root, "/ab": root, "/a": a, "/a/": a, "/a/x": a, "/a/bc": a,
		"/a/b": ab, "/a/b/": ab, "/a/b/c": ab,
	} {
		if got := poolOf(table.find(path)); got != want {
			t.Errorf("%q goes to %s, want %s", path, pools.nameOf(got), pools.nameOf(want))
		}
	}
}

func TestWithoutARootRouteOtherPathsHaveNoPool(t *testing.T) {
	table := testPools{"a": new(dispatch.Pool)}.table("/a", "a")
	for _, path := range []string{"/", "/b", "/ab", ""} {
		if got := table.find(path); got != nil {
			t.Errorf("%q goes to a pool", path)
		}
	}
}

// Routes are no access control: what the worker makes of a path is up to the worker. But
// who reads it differently than we do finds it under the same route.
func TestAPathThatOthersFindUnderAnotherRouteIsRefused(t *testing.T) {
	root, files, admin := new(dispatch.Pool), new(dispatch.Pool), new(dispatch.Pool)
	pools := testPools{"root": root, "files": files, "admin": admin}
	table := pools.table("/", "root", "/files", "files", "/admin", "admin", "/files/old", "files")
	alone, single := pools.table("/", "root"), pools.table("/files", "files")
	for target, want := range map[string]*dispatch.Pool{
		"/files/../admin": nil, "/files/./x": files, "/files/a/../b": files, "/files/..": nil,
		"/files/.": files, "/files/..a": files, "/files/...": files,
		"/files/%2e%2e/admin": nil, "/files/%2E./admin": nil,
		"/files/.%2e/admin": nil, "/files/%252e%252e/admin": files,
		"//admin": nil, "/./admin": nil, "///": root, "/x//admin": root, "/files//admin": files, "//files/../x": nil,
		"/files/../admin//../files": nil, "//admin/../x": nil, "/x/../admin": nil, "/x/../y": root,
		"/files%2Fa": nil, "/files%2fa": nil, "/admin%2F..%2Ffiles": nil, "/files/..%2Fadmin": nil,
		"/files/a%2Fb": files, "/x%2Fy": root, "/%2Fadmin": nil,
		"/admin;x": root, "/admin;x/y": root, "/admin/;x": admin, "/admin%3Bx": root,
		"/Admin": root, "/admin.": root, "/admin%20": root, "/files\\..\\admin": root,
		"/files/x?../../admin": files, "/files/old/../../admin": nil, "/files/old/..": files,
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		route, err := table.choose(u)
		got := poolOf(route)
		if got != want || (err != nil) != (want == nil) {
			t.Errorf("%s goes to %s, %v", target, pools.nameOf(got), err)
		}
		if got, err := alone.choose(u); poolOf(got) != root || err != nil {
			t.Errorf("with one route, %s goes to %s, %v", target, pools.nameOf(poolOf(got)), err)
		}
	}
	for target, refused := range map[string]bool{
		"/files/../x": true, "/x/../files": true, "/x/../y": false, "//files": true, "/files%2Fx": true,
	} {
		u, _ := url.ParseRequestURI(target)
		if _, err := single.choose(u); (err != nil) != refused {
			t.Errorf("without a route for the rest, %s: %v", target, err)
		}
	}
}
