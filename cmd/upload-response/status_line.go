package main

import (
	"fmt"
	"strings"
)

// statusLine says in a line what the service does, for people: systemctl status shows it.
func (v *service) statusLine() string {
	if v.draining.Load() {
		return fmt.Sprintf("draining, requests in progress: %d", v.server.Running())
	}
	var parts []string
	v.manager.mu.Lock()
	if v.manager.failure != "" {
		parts = append(parts, "the last reload has changed nothing: "+v.manager.failure)
	}
	v.manager.mu.Unlock()
	apps := v.workers.Apps()
	ready, wanted := 0, 0
	for i := range apps {
		a := &apps[i]
		ready, wanted = ready+a.Ready, wanted+a.Processes
		if a.Failed != "" {
			parts = append(parts, fmt.Sprintf("app %s has failed: %s", a.Name, a.Failed))
		}
	}
	workers := fmt.Sprintf("apps: %d, workers: %d of %d", len(apps), ready, wanted)
	if len(apps) == 0 { // they attach by themselves
		workers = fmt.Sprintf("links of workers: %d", v.router.Stats().Links)
	}
	parts = append(parts, fmt.Sprintf("%s, requests in progress: %d", workers, v.server.Running()))
	return strings.Join(parts, "; ")
}
