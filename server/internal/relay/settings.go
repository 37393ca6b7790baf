package relay

import (
	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/route"
)

// settings are a configuration, and what is made of it. They never change: an exchange takes
// those that hold when it begins, and keeps them to its end, whatever comes meanwhile.
type settings struct {
	Config
	table       *route.Table
	rates       *rateTable
	compressors *compress.Compressors
}

// newSettings returns an error if the routes make no sense.
func newSettings(c *Config) (*settings, error) {
	table, err := newTable(c.Routes)
	if err != nil {
		return nil, err
	}
	return &settings{
		Config: *c, table: table, rates: newRateTable(&c.Rates),
		compressors: compress.New(c.Compress, c.CompressMin),
	}, nil
}
