package server

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/files"
	"github.com/wavey-ai/upload-response/server/internal/relay"
	"github.com/wavey-ai/upload-response/server/internal/route"
)

// Route says which requests it takes, and what becomes of them. Those without a Prefix are tried first, in
// their order, and the first that matches takes the request; then come those with a Prefix,
// of which the longest takes it.
type Route struct {
	// Name stands for the route in metrics and logs. Empty: its prefix, or methods, hosts and
	// paths.
	Name string
	// Prefix takes the requests below a path: "/a" is "/a" and "/a/b", but not "/ab". A route
	// has a Prefix or a Match.
	Prefix string
	// Match takes the requests that it matches. The zero value matches every request.
	Match Match

	// StripPrefix is removed from the beginning of the path, for who answers: "/api" leaves
	// "/users" of "/api/users". A worker finds it in the X-Forwarded-Prefix field, which only
	// the server and trusted proxies write. A path that is not below it stays as it is.
	StripPrefix string

	// Limit bounds what a client may ask for under the route.
	Limit RouteLimit

	// Retries says which requests are given to another worker when one has failed them, in
	// place of what PoolConfigs of [Config] says. Nil: that one.
	Retries *Retries

	// One of the following answers. Pool has the workers that serve the requests.
	Pool string
	// Redirect sends clients elsewhere.
	Redirect *Redirect
	// Respond is a response that is always the same.
	Respond *Respond
	// Files are sent by the server itself. With a Pool, its workers get the requests that no
	// file answers.
	Files *Files
}

// Files are the files below a folder. Nothing leads out of it: no dot segment, and no
// symlink. Folders are not listed. There are no more open files than a quarter of what the
// process may open: further requests get 503.
type Files struct {
	// Root is the folder.
	Root string
	// Index is the file for the path of a folder. Empty: index.html.
	Index string
	// Precompressed has any of zst, br and gz: FILE.gz, if there is one, goes to clients that
	// would rather have it than FILE. Of equally welcome ones the first goes.
	Precompressed []string
	// Expires is how long caches may keep a file; 0: that is not said.
	Expires time.Duration
	// Fallback is the file for paths that have none, such as /index.html. Empty: 404, or the
	// Pool.
	Fallback string
	// Dotfiles serves names that begin with a dot. Those below /.well-known/ are served anyway.
	Dotfiles bool
}

// RouteLimit bounds what a client may ask for under a route.
type RouteLimit struct {
	// Rate is how many requests a second a client may make, after a burst of Burst, besides
	// RequestRate of [Config]; 0 is any number. A Burst of 0 is as many as Rate, and at least
	// one. A client is an address, an IPv6 network of 64 bits, or everybody with the same value
	// of the field Header.
	Rate   float64
	Burst  int
	Header string
	// Body is the most bytes in the body of a request, in place of BodyLimit; 0 is BodyLimit.
	Body int64
}

// Redirect sends clients to another URL.
type Redirect struct {
	// To is the URL. In it, $scheme and $host are those that the client has used, $path is the
	// escaped path without StripPrefix, $query is the query with its ?, or nothing, and $$ is
	// a $.
	To string
	// Status is 301, 302, 303, 307 or 308; 0 is 307: not for good, and with the same method.
	Status int
}

// Respond is a response that is always the same.
type Respond struct {
	Status      int // 200 to 599; 0 is 200
	Body        string
	ContentType string // of the body; empty: text/plain; charset=utf-8
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
func (r *Route) rule() route.Rule {
	return route.Rule{Prefix: r.Prefix, Match: route.Match(r.Match), Strip: r.StripPrefix}
}

// name returns the name of the route; without one, its prefix, or what it matches.
func (r *Route) name() string {
	return cmp.Or(r.Name, r.Prefix, strings.Join(slices.Concat(r.Match.Methods, r.Match.Hosts, r.Match.Paths), " "),
		"default")
}

// routeNames returns the names of routes, in which none stands twice.
func routeNames(routes []Route) (names []string) {
	for i := range routes {
		name := routes[i].name()
		for n := 2; slices.Contains(names, name); n++ {
			name = fmt.Sprintf("%s (%d)", routes[i].name(), n)
		}
		names = append(names, name)
	}
	return names
}

// checkRoutes returns an error for routes that make no sense.
func checkRoutes(routes []Route) error {
	if len(routes) == 0 {
		return errors.New("no routes")
	}
	rules, seen := make([]route.Rule, len(routes)), map[string]bool{"": true}
	for i := range routes {
		if name := routes[i].Name; name != "" && seen[name] {
			return fmt.Errorf("two routes have the name %q", name)
		}
		seen[routes[i].Name] = true
		if _, err := routes[i].forRelay(); err != nil {
			return fmt.Errorf("route %q: %w", routes[i].name(), err)
		}
		rules[i] = routes[i].rule()
	}
	_, err := route.New(rules)
	return err
}

// forRelay returns what the relay has to know of the route. It returns an error unless one
// thing answers.
func (r *Route) forRelay() (to relay.Route, err error) {
	to = relay.Route{Name: r.name(), Rule: r.rule(), PoolName: r.Pool, BodyLimit: r.Limit.Body, Retries: r.Retries}
	if r.Retries != nil && r.Retries.Times < 0 {
		return to, fmt.Errorf("retries %d: cannot be negative", r.Retries.Times)
	}
	if to.Rates, err = r.Limit.rates(); err != nil {
		return to, err
	}
	answers := 0
	if r.Pool != "" || r.Files != nil {
		answers++
	}
	if r.Files != nil {
		to.Files = (*files.Config)(r.Files)
		if err := to.Files.Check(); err != nil {
			return to, err
		}
	}
	if r.Redirect != nil {
		answers++
		if to.Redirect, err = relay.NewRedirect(r.Redirect.To, r.Redirect.Status); err != nil {
			return to, err
		}
	}
	if r.Respond != nil {
		answers++
		if to.Respond, err = r.Respond.forRelay(); err != nil {
			return to, err
		}
	}
	if answers != 1 {
		return to, fmt.Errorf("%d of pool or files, redirect, and respond answer, want one", answers)
	}
	return to, nil
}

// rates returns an error for limits that make no sense.
func (l *RouteLimit) rates() (relay.RateLimit, error) {
	if !(l.Rate >= 0 && l.Rate <= math.MaxInt32) || l.Burst < 0 || l.Body < 0 {
		return relay.RateLimit{}, fmt.Errorf("limits cannot be negative: %v requests a second, %d in a burst, body %d",
			l.Rate, l.Burst, l.Body)
	}
	burst := cmp.Or(l.Burst, int(l.Rate), 1)
	return relay.RateLimit{Rate: l.Rate, Burst: burst, Header: l.Header}, nil
}

func (r *Respond) forRelay() (*relay.Respond, error) {
	status := cmp.Or(r.Status, http.StatusOK)
	switch {
	case status < 200 || status > 599:
		return nil, fmt.Errorf("respond with status %d: want 200 to 599", status)
	case r.Body == "":
		return &relay.Respond{Status: status, ContentType: r.ContentType}, nil
	case status == http.StatusNoContent || status == http.StatusNotModified || status == http.StatusResetContent:
		return nil, fmt.Errorf("respond with status %d: it has no body", status)
	case strings.ContainsFunc(r.ContentType, func(c rune) bool { return c < ' ' || c > '~' }):
		return nil, fmt.Errorf("respond with content type %q: want ASCII", r.ContentType)
	}
	return &relay.Respond{
		Status: status, Body: []byte(r.Body), ContentType: cmp.Or(r.ContentType, "text/plain; charset=utf-8"),
	}, nil
}
