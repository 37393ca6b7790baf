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

// Prepared is a configuration that can take the place of the one in use.
type Prepared struct{ settings *settings }

// Prepare does all that can fail before a configuration is used: it compiles routes, opens
// folders and reads error pages. What it makes and nobody uses need not be released.
func (r *Relay) Prepare(c Config) (*Prepared, error) {
	before := r.settings.Load()
	if before == nil {
		before = &settings{}
	}
	s := &settings{Config: c}
	s.Routes = slices.Clone(c.Routes)
	for i := range s.Routes {
		if err := s.Routes[i].prepare(&c, r.meters, routeNamed(before.Routes, s.Routes[i].Name)); err != nil {
			return nil, err
		}
	}
	var err error
	if s.table, err = newTable(s.Routes); err != nil {
		return nil, err
	}
	if s.pages, err = errorpage.New(c.ErrorPages); err != nil {
		return nil, err
	}
	s.takeOver(before)
	return &Prepared{s}, nil
}

// takeOver keeps what clients have used of their rate, and the compressors, if nothing has
// changed about them.
func (s *settings) takeOver(before *settings) {
	if s.rates = before.rates; s.rates == nil || before.Rates != s.Rates {
		s.rates = newRateTable(&s.Rates)
	}
	same := before.Compress == s.Compress && before.CompressMin == s.CompressMin
	if s.compressors = before.compressors; s.compressors == nil || !same {
		s.compressors = compress.New(s.Compress, s.CompressMin)
	}
}

// Use has exchanges that begin from now on use a configuration; those in progress keep the one
// that they began with. Preconditions: the dispatcher has the pools that its routes name, and
// it was prepared after the last one that was used.
func (r *Relay) Use(p *Prepared) {
	s := p.settings
	for i := range s.Routes {
		if name := s.Routes[i].PoolName; name != "" {
			s.Routes[i].pool = r.dispatcher.Pool(name)
		}
	}
	r.settings.Store(s)
}
