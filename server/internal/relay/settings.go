package relay

import (
	"slices"

	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/errorpage"
	"github.com/wavey-ai/upload-response/server/internal/route"
)

// settings are a configuration, and what is made of it. They never change: an exchange takes
// those that hold when it begins, and keeps them to its end, whatever comes meanwhile.
type settings struct {
	Config
	table       *route.Table
	pages       *errorpage.Pages
	rates       *rateTable
	compressors *compress.Compressors
}

// newSettings returns an error if the routes make no sense, or an error page cannot be read.
func newSettings(c *Config) (*settings, error) {
	table, err := newTable(c.Routes)
	if err != nil {
		return nil, err
	}
	pages, err := errorpage.New(c.ErrorPages)
	if err != nil {
		return nil, err
	}
	routes := slices.Clone(c.Routes)
	for i := range routes {
		routes[i].bind(c)
	}
	s := &settings{
		Config: *c, table: table, pages: pages, rates: newRateTable(&c.Rates),
		compressors: compress.New(c.Compress, c.CompressMin),
	}
	s.Routes = routes
	return s, nil
}
