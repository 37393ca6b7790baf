package relay

import (
	"fmt"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/files"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/route"
)

// Route says which requests it takes, and who answers them: a pool, or the server itself.
type Route struct {
	Name     string
	Rule     route.Rule
	PoolName string // empty: no worker is asked
	Redirect *Redirect
	Respond  *Respond
	Files    *files.Config // with a pool: that gets what no file answers

	Rates     RateLimit         // besides that of all requests
	BodyLimit int64             // in place of that of all requests; 0: that one
	Retries   *dispatch.Retries // in place of those of the pool; nil: those

	pool  *dispatch.Pool
	meter *meter.Route
	files *files.Folder
	rates *rateTable
}

// prepare opens what the route needs, and fills in what it takes from the configuration of
// all. Before is the route in whose place it comes, or nil: clients keep what they have used
// of their rate.
func (r *Route) prepare(c *Config, meters *meter.Meters, before *Route) (err error) {
	if before != nil && before.Rates == r.Rates {
		r.rates = before.rates
	} else {
		r.rates = newRateTable(&r.Rates)
	}
	r.meter = meters.Route(r.PoolName, r.Name)
	if r.BodyLimit == 0 {
		r.BodyLimit = c.BodyLimit
	}
	if r.Files != nil {
		if r.files, err = files.Open(*r.Files); err != nil {
			return fmt.Errorf("route %q: %w", r.Name, err)
		}
	}
	return nil
}

// routeNamed returns the route of a name, or nil.
func routeNamed(routes []Route, name string) *Route {
	for i := range routes {
		if routes[i].Name == name {
			return &routes[i]
		}
	}
	return nil
}

// newTable compiles the rules of routes.
func newTable(routes []Route) (*route.Table, error) {
	rules := make([]route.Rule, len(routes))
	for i := range routes {
		rules[i] = routes[i].Rule
	}
	return route.New(rules)
}

// chooseRoute finds the route of the request.
func (x *exchange) chooseRoute() error {
	i, err := x.settings.table.Choose(x.request)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", fault.ErrBadRequest, err)
	case i == route.None:
		return fmt.Errorf("%w for %s", fault.ErrNoRoute, x.request.URL.Path)
	}
	x.route = &x.settings.Routes[i]
	x.route.meter.Begin()
	return x.checkRoute()
}

// checkRoute checks the limits of the route.
func (x *exchange) checkRoute() error {
	if !x.route.rates.allow(x.request, &x.client) {
		return fault.ErrTooFast
	}
	if limit := x.route.BodyLimit; limit > 0 && x.request.ContentLength > limit {
		return fmt.Errorf("%w: %d bytes announced, the limit is %d",
			fault.ErrBodyTooLarge, x.request.ContentLength, limit)
	}
	return nil
}
