package server

import (
	"cmp"

	"github.com/wavey-ai/upload-response/server/internal/errorpage"
)

// Check returns the error that [NewRouter] would return, unless that is a lack of memory.
func (c Config) Check() error {
	if err := c.check(); err != nil {
		return err
	}
	d := c.forDispatcher()
	return cmp.Or(d.Check(), c.ErrorPages.Check())
}

// CheckRoutes returns an error for routes that [NewRouter] would refuse.
func CheckRoutes(routes []Route) error { return checkRoutes(routes) }

// Check returns an error for pages that [NewRouter] would refuse: it reads them.
func (p ErrorPages) Check() error {
	_, err := errorpage.New(errorpage.Config(p))
	return err
}
