package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// confinement is what holds a process to its limits.
type confinement struct {
	group *cgroup // nil: none
}

// confine prepares the limits of a process that is about to start, as far as the kernel lets
// us. Release: release, once the process has ended.
func (p *process) confine(command *exec.Cmd) (c confinement) {
	if box := p.spec.Sandbox; box != nil && !box.Required {
		if err := box.NotInForce(); err != nil {
			p.warnOfLimit("sandbox", err)
		}
	}
	limits := &p.spec.Limits
	if limits.Memory == 0 && limits.CPU == 0 {
		return c
	}
	group, err := p.supervisor.cgroups.add(p.slot.name, limits)
	if err != nil {
		p.warnOfLimit("memory and cpu", err)
		return c
	}
	c.group = group
	command.SysProcAttr.UseCgroupFD, command.SysProcAttr.CgroupFD = true, int(group.folder.Fd())
	return c
}

// outOfMemory reports whether a process was killed because it reached its limit.
func (c *confinement) outOfMemory() bool { return c.group != nil && c.group.kills() > 0 }

func (c *confinement) release() {
	if c.group != nil {
		c.group.remove()
	}
}

// limitFiles sets the number of descriptors of a process that has started. Before Linux lets
// go of it the program can have opened some.
func (p *process) limitFiles(pid int) {
	n := p.spec.Limits.OpenFiles
	if n == 0 {
		return
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: more than the server may have needs root", err)
		}
		p.warnOfLimit("nofile", err)
	}
}

// warnOfLimit says once, for each app, that a limit is not in force.
func (p *process) warnOfLimit(limit string, err error) {
	s := p.supervisor
	s.mu.Lock()
	a := p.slot.app
	first := !a.warned[limit]
	a.warned[limit] = true
	s.mu.Unlock()
	if first {
		s.log.Warn("a limit of the app is not in force", "app", p.spec.Name, "limit", limit, "error", err)
	}
}

// writeFile writes a value to a file of the kernel's.
func writeFile(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
