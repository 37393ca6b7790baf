package server

import (
	"math"
	"slices"
	"testing"
)

func TestRoutesThatMakeNoSenseAreRefused(t *testing.T) {
	for name, routes := range map[string][]Route{
		"none":    nil,
		"no path": {{Prefix: "a", Pool: "x"}},
		"no pool": {{Prefix: "/a"}},
		"twice":   {{Prefix: "/a", Pool: "x"}, {Prefix: "/a", Pool: "y"}},

		"a negative rate":       {{Pool: "x", Limit: RouteLimit{Rate: -1}}},
		"a rate that is none":   {{Pool: "x", Limit: RouteLimit{Rate: math.NaN()}}},
		"a negative body":       {{Pool: "x", Limit: RouteLimit{Body: -1}}},
		"a name that is twice":  {{Name: "a", Prefix: "/a", Pool: "x"}, {Name: "a", Prefix: "/b", Pool: "x"}},
		"two answers":           {{Pool: "x", Redirect: &Redirect{To: "/"}}},
		"a redirect to nowhere": {{Redirect: &Redirect{}}},
		"a status that is none": {{Respond: &Respond{Status: 101}}},
		"a body with a 204":     {{Respond: &Respond{Status: 204, Body: "x"}}},
		"a type that is two":    {{Respond: &Respond{Body: "x", ContentType: "a\r\nb: c"}}},
		"a strip that is none":  {{Pool: "x", StripPrefix: "api"}},
		"a path that is none":   {{Pool: "x", Match: Match{Paths: []string{"api"}}}},
	} {
		if checkRoutes(routes) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEveryRouteHasANameOfItsOwn(t *testing.T) {
	routes := []Route{
		{Match: Match{Methods: []string{"GET"}, Hosts: []string{"a.org"}, Paths: []string{"/x", "/y"}}}, {Prefix: "/x"},
		{Match: Match{Header: map[string]string{"A": "1"}}}, {Match: Match{Header: map[string]string{"A": "2"}}},
		{Name: "mine", Prefix: "/"}, {},
	}
	want := []string{"GET a.org /x /y", "/x", "default", "default (2)", "mine", "default (3)"}
	if got := routeNames(routes); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
