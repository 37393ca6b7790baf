package doctor

import "github.com/wavey-ai/upload-response/server/supervise"

// sandbox says whether the kernel enforces sandboxes of apps.
func (p *Plan) sandbox() Result {
	err := (&supervise.Sandbox{Connect: []uint16{}}).NotInForce()
	return p.ofApps("sandbox", "Landlock restricts files, TCP ports, devices and signals", err, p.Sandboxed,
		"use Linux 6.12 or later, with landlock in lsm= of its command line if there is one")
}

// cgroups says whether processes of apps can have limits of memory and processor time.
func (p *Plan) cgroups() Result {
	return p.ofApps("cgroup limits", "memory and cpu of apps can be limited", supervise.CheckCgroups(), p.Limited,
		"until then limits.memory and limits.cpu are not in force; recycle.memory needs no cgroup")
}

// ofApps is a check that matters if an app uses what it is about.
func (p *Plan) ofApps(check, works string, err error, used bool, advice string) Result {
	switch {
	case err == nil:
		return ok(check, "%s", works)
	case used:
		return Result{check, Warn, err.Error(), advice}
	}
	return ok(check, "no app needs it (%v)", err)
}
