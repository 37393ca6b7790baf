package relay

import "github.com/wavey-ai/upload-response/server/internal/compress"

// settings are a configuration, and what is made of it. They never change: an exchange takes
// those that hold when it begins, and keeps them to its end, whatever comes meanwhile.
type settings struct {
	Config
	routes      routeTable
	rates       *rateTable
	compressors *compress.Compressors
}

func newSettings(c *Config) *settings {
	return &settings{
		Config: *c, routes: newRouteTable(c.Routes), rates: newRateTable(&c.Rates),
		compressors: compress.New(c.Compress, c.CompressMin),
	}
}
