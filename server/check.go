package server

import "github.com/wavey-ai/upload-response/server/internal/errorpage"

// CheckRoutes returns an error for routes that [NewRouter] would refuse.
func CheckRoutes(routes []Route) error { return checkRoutes(routes) }

// Check returns an error for pages that [NewRouter] would refuse: it reads them.
func (p ErrorPages) Check() error {
	_, err := errorpage.New(errorpage.Config(p))
	return err
}
