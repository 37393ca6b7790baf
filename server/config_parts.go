package server

import (
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/errorpage"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/relay"
)

// forDispatcher returns the part of a checked configuration that the dispatcher has to know.
func (c *Config) forDispatcher() dispatch.Config {
	d := dispatch.Config{
		ServerName: Name + "/" + Version,
		NumStreams: c.NumStreams, SlotSize: c.SlotSize, SlotsPerStream: c.SlotsPerStream,
		Memory: c.Memory, LinkMemory: c.LinkMemory, MaxLinks: c.MaxLinks,
		ResponseTimeout: c.ResponseTimeout, StuckAfter: c.StuckAfter,
		QueueLength: c.QueueLength, QueueTime: c.QueueTime,
		Limits:     progress.Limits{ClientTimeout: c.ClientTimeout, StallTime: c.StallTime, MinBodyRate: c.MinBodyRate},
		Supervised: c.Supervised, OpenPools: c.OpenPools, Started: c.Started, StartedWorkers: c.StartedWorkers,
		WorkerName: c.WorkerName,
		AllowUIDs:  c.AllowUIDs, AllowGIDs: c.AllowGIDs, PoolUIDs: c.PoolUIDs, PoolGIDs: c.PoolGIDs,
		LinksPerProcess: c.LinksPerProcess, LinksPerUser: c.LinksPerUser, LinksPerPool: c.LinksPerPool,
		OnAttach: c.OnAttach, Ended: c.Ended, PoolConfigs: c.PoolConfigs, OnStuck: c.OnStuck, Log: c.Log,
	}
	for i := range c.Routes {
		if pool := c.Routes[i].Pool; pool != "" {
			d.Pools = append(d.Pools, pool)
		}
	}
	return d
}

// forRelay returns the part of a checked configuration that the relay has to know.
func (c *Config) forRelay(trust *conn.Trust, windows *conn.Budget) (relay.Config, error) {
	r := relay.Config{
		Trust: trust, ClientTimeout: c.ClientTimeout, HeaderLimit: c.HeaderLimit, FieldLimit: c.FieldLimit,
		BodyLimit:  c.BodyLimit,
		AllowTrace: c.AllowTrace, MessageLimit: c.MessageLimit, PingInterval: c.PingInterval,
		Rates:      relay.RateLimit{Rate: float64(c.RequestRate), Burst: c.RequestBurst, Header: c.RequestRateHeader},
		ErrorPages: errorpage.Config(c.ErrorPages),
		Windows:    windows, Compress: c.Compress, CompressMin: c.CompressMin, Log: c.Log,
		AccessLog: relay.AccessLog{Log: c.AccessLog, Details: c.AccessLogDetails, Skip: c.AccessLogSkip},
		Tracer:    c.Tracer,
	}
	names := routeNames(c.Routes)
	for i := range c.Routes {
		route, err := c.Routes[i].forRelay()
		if err != nil {
			return r, err
		}
		route.Name = names[i]
		r.Routes = append(r.Routes, route)
	}
	return r, nil
}
