package convert

import (
	"slices"
	"strings"
	"testing"
)

func TestAMethodOfUnitThatIsAPatternLeavesOutTheStep(t *testing.T) {
	for method, want := range map[string][]string{`"!POST"`: nil, `["GET", "P*"]`: nil, `"get"`: {"GET"}} {
		result, err := Unit([]byte(`{"listeners": {"*:80": {"pass": "routes"}},
			"routes": [{"match": {"method": ` + method + `}, "action": {"return": 404}},
				{"action": {"return": 200}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		text, routes := strings.Join(result.Left, "\n"), result.File.Routes
		if (want == nil) != strings.Contains(text, "routes[0].match.method: the pattern") || len(routes) == 0 ||
			!slices.Equal(routes[0].Match.Method, want) {
			t.Errorf("%s: %+v, %s", method, routes, text)
		}
	}
}
