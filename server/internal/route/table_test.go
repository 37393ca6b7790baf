package route

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// request makes a request of a method and a target, "HOST/PATH", with fields "NAME: VALUE".
func request(t *testing.T, method, target string, fields ...string) *http.Request {
	t.Helper()
	slash := strings.IndexByte(target, '/')
	u, err := url.ParseRequestURI(target[slash:])
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: method, Host: target[:slash], URL: u, RequestURI: target[slash:], Header: http.Header{}}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// prefixes makes a table of rules with prefixes.
func prefixes(t *testing.T, list ...string) *Table {
	t.Helper()
	var rules []Rule
	for _, prefix := range list {
		rules = append(rules, Rule{Prefix: prefix})
	}
	return table(t, rules...)
}

func table(t *testing.T, rules ...Rule) *Table {
	t.Helper()
	built, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestTheLongestPrefixWins(t *testing.T) {
	routes := prefixes(t, "/a", "/", "/a/b/")
	for path, want := range map[string]int{
		"/": 1, "/x": 1, "/ab": 1, "/a": 0, "/a/": 0, "/a/x": 0, "/a/bc": 0, "/a/b": 2, "/a/b/": 2, "/a/b/c": 2,
	} {
		if got, err := routes.Choose(request(t, "GET", path)); got != want || err != nil {
			t.Errorf("%q takes route %d, %v, want %d", path, got, err, want)
		}
	}
}

func TestWithoutARootRouteOtherPathsHaveNoRoute(t *testing.T) {
	routes := prefixes(t, "/a")
	for _, path := range []string{"/", "/b", "/ab"} {
		if got, err := routes.Choose(request(t, "GET", path)); got != None || err != nil {
			t.Errorf("%q takes route %d, %v", path, got, err)
		}
	}
}

func TestAPathMatchesAPattern(t *testing.T) {
	for pattern, paths := range map[string]string{
		"/a":             "/a !/a/ !/a/b !/ab !/ !/A",
		"/a/":            "/a/ !/a !/a/b",
		"/a/*":           "/a /a/ /a/b /a/b/c !/ab !/ !/b/a",
		"/*":             "/ /a /a/b /*",
		"/":              "/ !/a",
		"*.php":          "/a.php /a/b.php /.php !/a.php/x !/a.PHP !/aphp",
		"/u/*/posts":     "/u/1/posts !/u/posts !/u//posts !/u/1/2/posts !/u/1/posts/ !/u/1/posts/2 !/u/1",
		"/u/*/posts/*":   "/u/1/posts /u/1/posts/ /u/1/posts/2/3 !/u/1/postsx !/u/1",
		"/*/feed":        "/x/feed !/feed !//feed !/x/y/feed",
		"/caf\u00e9/*":   "/caf%C3%A9/x !/cafe/x",
		"/with space":    "/with%20space !/with+space",
		"/percent%25/*":  "/percent%2525/x !/percent%25/x",
		"/*/a/*/b":       "/1/a/2/b !/1/a/b !/1/x/2/b",
		"/exact/.hidden": "/exact/.hidden",
	} {
		p, err := compilePath(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for path := range strings.SplitSeq(paths, " ") {
			path, not := strings.CutPrefix(path, "!")
			if got := p.match(request(t, "GET", path).URL.Path); got == not {
				t.Errorf("%s and %s: match is %v", pattern, path, got)
			}
		}
	}
}

func TestAHostMatchesAPattern(t *testing.T) {
	for pattern, hosts := range map[string]string{
		"www.example.org": "www.example.org WWW.Example.ORG www.example.org:8080 www.example.org. " +
			"www.example.org.:80 !example.org !xwww.example.org !www.example.org.evil",
		"*.example.org": "a.example.org a.b.EXAMPLE.org a.example.org:1 !example.org !.example.org !aexample.org",
		"127.0.0.1":     "127.0.0.1 127.0.0.1:80 !127.0.0.11",
		"[::1]":         "[::1] [::1]:443 ![::2]",
	} {
		p, err := compileHost(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for host := range strings.SplitSeq(hosts, " ") {
			host, not := strings.CutPrefix(host, "!")
			if got := p.match(hostOf(host)); got == not {
				t.Errorf("%s and %s: match is %v", pattern, host, got)
			}
		}
	}
}

func TestTheFirstMatchWinsAndPrefixesComeLast(t *testing.T) {
	routes := table(t,
		Rule{Prefix: "/"},
		Rule{Prefix: "/api"},
		Rule{Match: Match{Hosts: []string{"static.example.org"}}},
		Rule{Match: Match{Paths: []string{"/api/*"}, Methods: []string{"GET", "POST"}, Header: map[string]string{
			"x-version": "2", "X-Key": "*"}}},
		Rule{Match: Match{Paths: []string{"/api/new", "*.new"}}},
	)
	for _, c := range []struct {
		method, target string
		want           int
		fields         []string
	}{
		{"GET", "/x", 0, nil},
		{"GET", "/api/x", 1, nil},
		{"GET", "static.example.org/api/x", 2, nil},
		{"GET", "www/api/x", 3, []string{"X-Version: 1", "X-Version: 2", "X-Key: "}},
		{"POST", "www/api/new", 3, []string{"X-Version: 2", "X-Key: k"}},
		{"PUT", "www/api/x", 1, []string{"X-Version: 2", "X-Key: k"}},
		{"GET", "www/api/x", 1, []string{"X-Version: 2"}},
		{"GET", "www/api/x", 1, []string{"X-Version: 20", "X-Key: k"}},
		{"GET", "www/api/new", 4, nil},
		{"GET", "www/x/y.new", 4, nil},
	} {
		if got, err := routes.Choose(request(t, c.method, c.target, c.fields...)); got != c.want || err != nil {
			t.Errorf("%s %s %v takes route %d, %v, want %d", c.method, c.target, c.fields, got, err, c.want)
		}
	}
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	match := func(m Match) []Rule { return []Rule{{Match: m}} }
	for name, rules := range map[string][]Rule{
		"a prefix that is no path":    {{Prefix: "a"}},
		"a prefix that stands twice":  {{Prefix: "/a"}, {Prefix: "/b"}, {Prefix: "/a"}},
		"a prefix and a match":        {{Prefix: "/a", Match: Match{Hosts: []string{"x"}}}},
		"a rule behind all":           {{}, {Match: Match{Paths: []string{"/a"}}}},
		"a prefix behind all":         {{Match: Match{Paths: []string{"/*"}}}, {Prefix: "/a"}},
		"a star in a segment":         match(Match{Paths: []string{"/a*"}}),
		"two stars":                   match(Match{Paths: []string{"*.a*"}}),
		"a star alone":                match(Match{Paths: []string{"*"}}),
		"a path without a slash":      match(Match{Paths: []string{"a"}}),
		"a path with a query":         match(Match{Paths: []string{"/a?b"}}),
		"a path with dots":            match(Match{Paths: []string{"/a/../b"}}),
		"a path with two slashes":     match(Match{Paths: []string{"/a//b"}}),
		"an empty host":               match(Match{Hosts: []string{""}}),
		"a host with a star":          match(Match{Hosts: []string{"a.*.org"}}),
		"a host with half a label":    match(Match{Hosts: []string{"*a.org"}}),
		"a host with a port":          match(Match{Hosts: []string{"a.org:80"}}),
		"a host that is not ASCII":    match(Match{Hosts: []string{"b\u00fccher.example"}}),
		"a host with a path":          match(Match{Hosts: []string{"a.org/b"}}),
		"a method in small letters":   match(Match{Methods: []string{"get"}}),
		"a field without a name":      match(Match{Header: map[string]string{"": "x"}}),
		"a field without a value":     match(Match{Header: map[string]string{"X-A": ""}}),
		"a strip that is no path":     {{Strip: "a"}},
		"a strip of nothing":          {{Strip: "/"}},
		"a strip with a star":         {{Strip: "/a/*"}},
		"a strip with dots, a prefix": {{Prefix: "/a", Strip: "/a/.."}},
	} {
		if _, err := New(rules); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Routes are no access control: what the worker makes of a path is up to the worker. But
// who reads it differently than we do finds it under the same route.
func TestAPathThatOthersFindUnderAnotherRouteIsRefused(t *testing.T) {
	const root, files, admin, old, none = 0, 1, 2, 3, None
	routes := prefixes(t, "/", "/files", "/admin", "/files/old")
	matches := table(t, Rule{Match: Match{Paths: []string{"/files/old/*"}}}, Rule{Match: Match{Paths: []string{
		"/files/*"}}}, Rule{Match: Match{Paths: []string{"/admin/*"}}}, Rule{})
	number := map[int]int{root: 3, files: 1, admin: 2, old: 0, none: none}
	alone, single := prefixes(t, "/"), prefixes(t, "/files")
	for target, want := range map[string]int{
		"/files/../admin": none, "/files/./x": files, "/files/a/../b": files, "/files/..": none,
		"/files/.": files, "/files/..a": files, "/files/...": files,
		"/files/%2e%2e/admin": none, "/files/%2E./admin": none,
		"/files/.%2e/admin": none, "/files/%252e%252e/admin": files,
		"//admin": none, "/./admin": none, "///": root, "/x//admin": root, "/files//admin": files, "//files/../x": none,
		"/files/../admin//../files": none, "//admin/../x": none, "/x/../admin": none, "/x/../y": root,
		"/files%2Fa": none, "/files%2fa": none, "/admin%2F..%2Ffiles": none, "/files/..%2Fadmin": none,
		"/files/a%2Fb": files, "/x%2Fy": root, "/%2Fadmin": none,
		"/admin;x": root, "/admin;x/y": root, "/admin/;x": admin, "/admin%3Bx": root,
		"/Admin": root, "/admin.": root, "/admin%20": root, "/files\\..\\admin": root,
		"/files/x?../../admin": files, "/files/old/../../admin": none, "/files/old/..": none, "/files/old/./x": old,
	} {
		r := request(t, "GET", target)
		if got, err := routes.Choose(r); got != want || (err != nil) != (want == none) {
			t.Errorf("%s takes route %d, %v, want %d", target, got, err, want)
		}
		if got, err := matches.Choose(r); got != number[want] || (err != nil) != (want == none) {
			t.Errorf("with patterns, %s takes route %d, %v, want %d", target, got, err, number[want])
		}
		if got, err := alone.Choose(r); got != root || err != nil {
			t.Errorf("with one route, %s takes route %d, %v", target, got, err)
		}
	}
	for target, refused := range map[string]bool{
		"/files/../x": true, "/x/../files": true, "/x/../y": false, "//files": true, "/files%2Fx": true,
	} {
		if _, err := single.Choose(request(t, "GET", target)); (err != nil) != refused {
			t.Errorf("without a route for the rest, %s: %v", target, err)
		}
	}
}

func TestAPathThatOthersEndDifferentlyIsRefused(t *testing.T) {
	routes := table(t, Rule{Match: Match{Paths: []string{"*.php"}}}, Rule{Match: Match{Paths: []string{
		"/u/*/posts"}}}, Rule{})
	for target, want := range map[string]int{
		"/a.php": 0, "/a.php/.": None, "/a.php/x/..": None, "/x/../a.php": 0, "/x%2Fa.php": 0,
		"/a.php%2Fx": 2, "/a.php%2F..": 2,
		"/u/1/posts": 1, "/u//posts": 2, "/u/1//posts": None, "/u/./1/posts": None, "/u/1%2F2/posts": None,
	} {
		got, err := routes.Choose(request(t, "GET", target))
		if got != want || (err != nil) != (want == None) {
			t.Errorf("%s takes route %d, %v, want %d", target, got, err, want)
		}
	}
}

func TestAPrefixIsStrippedAsEveryReaderWould(t *testing.T) {
	routes := table(t, Rule{Strip: "/api/"})
	for target, want := range map[string]string{
		"/api": "/", "/api/": "/", "/api/x/y": "/x/y", "/api/x?a=/api/b": "/x?a=/api/b", "/api?a=b": "/?a=b",
		"/%61pi/x": "/x", "/ap%69?x": "/?x", "/api/%61": "/%61", "/api/a%2Fb": "/a%2Fb",
		"/apix": "/apix", "/x": "/x", "/x/api": "/x/api", "/api/a//b": "/a//b", "/api/a/../b": "/a/../b",
		"/api//x":  "//x",
		"/api%2Fx": "", "/api/../api/x": "", "/api/../x": "", "//api/x": "", "/./api/x": "", "/x/../api": "",
		"/api/%2e%2e/api/x": "", "/api%2F..%2Fapi/x": "", "/api/a/../../api/x": "",
	} {
		r := request(t, "GET", target)
		_, err := routes.Choose(r)
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", target, err)
		}
		if err != nil {
			continue
		}
		if got, _ := Strip(target, "/api"); got != want {
			t.Errorf("%s becomes %s, want %s", target, got, want)
		}
	}
}

func TestARouteIsFoundWithoutAllocating(t *testing.T) {
	routes := table(t,
		Rule{Match: Match{Hosts: []string{"*.example.com", "static.example.org"}}},
		Rule{Match: Match{Paths: []string{"/u/*/posts", "*.php"}, Methods: []string{"GET"}, Header: map[string]string{
			"X-Version": "2"}}},
		Rule{Prefix: "/api", Strip: "/api"}, Rule{Prefix: "/"},
	)
	r := request(t, "GET", "www.example.org:8080/api/users", "X-Version: 1")
	if n := testing.AllocsPerRun(100, func() {
		if got, err := routes.Choose(r); got != 2 || err != nil {
			t.Fatal(got, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
