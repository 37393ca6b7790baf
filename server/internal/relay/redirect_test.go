package relay

import (
	"net/http/httptest"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/route"
)

// redirected returns where a request for a target of www.example.org is sent.
func redirected(t *testing.T, to, strip, target string) string {
	t.Helper()
	r, err := NewRedirect(to, 0)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest("GET", "/", nil)
	request.RequestURI, request.Host = target, "www.example.org"
	x := &exchange{request: request, route: &Route{Rule: route.Rule{Strip: strip}}, client: clientInfo{scheme: "https"}}
	location, err := r.location(x)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func TestARedirectKeepsWhatTheVariablesSay(t *testing.T) {
	for _, c := range []struct{ to, strip, target, want string }{
		{"https://new.example.org$path$query", "", "/a/b?c=d&e", "https://new.example.org/a/b?c=d&e"},
		{"https://new.example.org$path$query", "", "/a", "https://new.example.org/a"},
		{"https://new.example.org$path", "/old", "/old/a%2Fb?x", "https://new.example.org/a%2Fb"},
		{"https://new.example.org$path", "/old", "/old", "https://new.example.org/"},
		{"$scheme://$host:8443$path", "", "/x", "https://www.example.org:8443/x"},
		{"/fixed?price=$$5", "", "/x?y", "/fixed?price=$5"},
		{"/new$path", "/old", "/old/x", "/new/x"},
		{"https://x/$path", "", "/\u00e9<a>\\\"", "https://x//%C3%A9%3Ca%3E%5C%22"},
	} {
		if got := redirected(t, c.to, c.strip, c.target); got != c.want {
			t.Errorf("%s for %s leads to %s, want %s", c.to, c.target, got, c.want)
		}
	}
}

func TestAPathDoesNotNameAnotherHost(t *testing.T) {
	for _, c := range []struct{ to, strip, target, want string }{
		{"$path", "", "//evil.example/x", "/evil.example/x"},
		{"$path$query", "/old", "/old//evil.example?q", "/evil.example?q"},
		{"$path", "/old", `/old/\evil.example`, "/%5Cevil.example"},
		{"/$path", "", "/evil.example", "/evil.example"},
		{"/$path", "", "///evil.example", "/evil.example"},
	} {
		if got := redirected(t, c.to, c.strip, c.target); got != c.want {
			t.Errorf("%s for %s leads to %s, want %s", c.to, c.target, got, c.want)
		}
	}
}

func TestARedirectThatMakesNoSenseIsRefused(t *testing.T) {
	for _, to := range []string{"", "a b", "https://b\u00fccher.example", "$uri", "a$", "x\r\nSet-Cookie: a=b"} {
		if _, err := NewRedirect(to, 301); err == nil {
			t.Errorf("%q: accepted", to)
		}
	}
	for _, status := range []int{200, 300, 304, 400, 999} {
		if _, err := NewRedirect("/", status); err == nil {
			t.Errorf("%d: accepted", status)
		}
	}
}
