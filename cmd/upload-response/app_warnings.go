package main

import (
	"log/slog"
	"os"
	"slices"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/doctor"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// warnOfUsers warns when the user of worker processes can do too much, or too little.
func (s *settings) warnOfUsers(log *slog.Logger) {
	asRoot := func(a supervise.App) bool { return a.User == nil || a.User.UID == 0 }
	if os.Geteuid() == 0 && slices.ContainsFunc(s.apps, asRoot) {
		log.Warn("workers run as root, and root can do anything to the server: give them " +
			"another user with --worker-user, or the key user of their app")
	}
	said := map[string]bool{}
	for i := range s.apps {
		user := s.apps[i].User
		if user == nil {
			continue
		}
		if warning, _ := user.Check(absolute(s.socket)); warning != "" && !said[warning] {
			said[warning] = true
			log.Warn("workers may not reach the socket", "why", warning)
		}
	}
}

// warnOfFiles warns when requests and workers may take more descriptors than the process can have.
func (s *settings) warnOfFiles(log *slog.Logger) {
	if r := doctor.OpenFiles(s.config.NumStreams, mostLinks(&s.config)); r.Status != doctor.OK {
		log.Warn("few files may be open", "why", r.Found, "advice", r.Advice)
	}
}

// warnOfLimits warns of limits and sandboxes that would not be in force. A server says so when
// it starts the workers.
func (s *settings) warnOfLimits(log *slog.Logger) {
	for i := range s.apps {
		a := &s.apps[i]
		warn := func(limit string, err error) {
			if err != nil {
				log.Warn("a limit of the app is not in force", "app", a.Name, "limit", limit, "error", err)
			}
		}
		if a.Sandbox != nil {
			warn("sandbox", a.Sandbox.NotInForce())
		}
		if needsCgroup(a) {
			warn("memory and cpu", supervise.CheckCgroups())
		}
	}
}

func needsCgroup(a *supervise.App) bool { return a.Limits.Memory > 0 || a.Limits.CPU > 0 }
