package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/upgrade"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// settings is what the command line of a server says.
type settings struct {
	config    server.Config
	listeners listenerSettings
	socket    string          // for workers
	apps      []supervise.App // of --worker
	workers   appSettings     // for each --worker
	added     []addition      // to the demo
	dumpable  bool
	accessLog bool
	admin     adminSettings
	logging   logging
	logFiles  logFiles
	observe   observation
	shutdown  time.Duration
	// drainDelay is the time from the signal until the listeners close.
	drainDelay time.Duration

	fileName string       // of --config; empty: one of config.Names
	fileText []byte       // in place of what is in the file; nil: it is read
	file     *config.File // the content of the file
	again    *rereader    // reads it again; nil: the command has no file
	// predecessor is the process whose place this one takes; nil: there is none.
	predecessor *upgrade.Predecessor
}

// linkSlots is how many slots the memory of a link has by default: enough for the lanes
// that a Go worker requests.
const linkSlots = 128

// parse takes the command line and the environment, and checks that the settings fit
// together. It returns the same errors as [cli.FlagSet.Parse].
func (s *settings) parse(flags *cli.FlagSet, args []string, getenv func(string) string) error {
	if err := flags.Parse(args, getenv); err != nil {
		return err
	}
	return s.finish(flags)
}

// finish completes and checks settings that the flags and variables have set.
func (s *settings) finish(flags *cli.FlagSet) error {
	if err := s.readFile(flags); err != nil {
		return err
	}
	if err := s.complete(flags.Given); err != nil {
		var problems config.Problems
		if explained := s.explain(flags, err); errors.As(explained, &problems) {
			return explained
		}
		return flags.Usage(err)
	}
	return nil
}

// complete fills in settings that depend on others, and checks them all.
func (s *settings) complete(given func(option string) bool) error {
	c := &s.config
	if c.Routes == nil {
		c.Routes = server.DefaultConfig().Routes
	}
	if !given("header-limit") {
		c.HeaderLimit = min(c.HeaderLimit, c.SlotSize)
	}
	if !given("link-memory") {
		c.LinkMemory = max(server.DefaultConfig().LinkMemory, linkSlots*uint64(c.SlotSize))
	}
	s.listeners.certificates.complete()
	if err := s.completeApps(given); err != nil {
		return err
	}
	s.admin.complete(given, s.socket)
	if !given("access-log") && s.logFiles.wanted(given) {
		s.accessLog = true
	}
	if err := s.listeners.complete(); err != nil {
		return err
	}
	for _, check := range []func() error{s.listeners.check, s.checkProxies, s.checkHeaderLimit, s.checkPools,
		s.checkMemory} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) checkHeaderLimit() error {
	if c := &s.config; c.HeaderLimit > c.SlotSize {
		return fmt.Errorf("--header-limit %s: the headers have to fit into one slot of %s (--slot-size)",
			cli.FormatSize(uint64(c.HeaderLimit)), cli.FormatSize(uint64(c.SlotSize)))
	}
	return nil
}

func (s *settings) checkProxies() error {
	if s.listeners.limits.ProxyProtocol && len(s.config.TrustedProxies) == 0 && !s.config.TrustUnix {
		return errors.New("--proxy-protocol needs --trust-proxy, which says whose headers to believe")
	}
	return nil
}

// otherUsers reports whether workers of other users have to reach the socket.
func (s *settings) otherUsers() bool {
	c := &s.config
	return len(c.AllowUIDs)+len(c.AllowGIDs)+len(c.PoolUIDs)+len(c.PoolGIDs) > 0
}

// checkMemory compares the memory, and other limits, with what the worker processes need.
func (s *settings) checkMemory() error {
	c := &s.config
	switch n := uint64(s.mostProcesses()); {
	case c.LinkMemory > responseMemory(c):
		return fmt.Errorf("--memory %s is too little: half of it is for responses, and "+
			"one link takes %s (--link-memory)", cli.FormatSize(c.Memory), cli.FormatSize(c.LinkMemory))
	case n > uint64(mostLinks(c)):
		return fmt.Errorf("%d worker processes, but room for %d: raise --max-links (%d) "+
			"or --memory (%s, half of it for responses), or lower --link-memory (%s), or start fewer (--worker)",
			n, mostLinks(c), c.MaxLinks, cli.FormatSize(c.Memory), cli.FormatSize(c.LinkMemory))
	case c.LinksPerPool > 0 && s.mostOfOnePool() > c.LinksPerPool:
		return fmt.Errorf("%d worker processes of one pool, but --links-per-pool %d", s.mostOfOnePool(), c.LinksPerPool)
	case c.LinksPerUser > 0 && n > uint64(c.LinksPerUser):
		return fmt.Errorf("%d worker processes of one user, but --links-per-user %d", n, c.LinksPerUser)
	}
	return nil
}

func responseMemory(c *server.Config) uint64 { return c.Memory - c.Memory/2 }

// mostLinks returns how many links can attach at once.
func mostLinks(c *server.Config) int {
	return int(min(uint64(c.MaxLinks), responseMemory(c)/c.LinkMemory))
}

// memoryPlan tells the log how the memory is divided.
func (s *settings) memoryPlan(buffers int) slog.Attr {
	c := &s.config
	return slog.Group("memory",
		slog.String("total", cli.FormatSize(c.Memory)), slog.Int("streams", c.NumStreams),
		slog.String("slot", cli.FormatSize(uint64(c.SlotSize))), slog.Int("request_slots", buffers),
		slog.String("link", cli.FormatSize(c.LinkMemory)), slog.Int("links", mostLinks(c)))
}
