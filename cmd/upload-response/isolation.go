package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// setDumpable sets whether processes of the same user may read and write our memory, take
// our descriptors, and trace us; and whether a crash leaves a core dump (prctl(2)).
func setDumpable(yes bool) error {
	var value uintptr
	if yes {
		value = 1
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, value, 0, 0, 0)
}

// firstInherited is the first descriptor that is not standard input, output or error.
const firstInherited = 3

// closeDescriptorsOnExec keeps the descriptors that this process was started with from the
// processes that it starts. They stay open here.
func closeDescriptorsOnExec() error {
	err := unix.CloseRange(firstInherited, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		// Before Linux 5.11, or in a sandbox.
		return closeEachDescriptorOnExec()
	}
	return err
}

// closeEachDescriptorOnExec is closeDescriptorsOnExec with a system call for each descriptor.
func closeEachDescriptorOnExec() error {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range list {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= firstInherited {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// managerVariables are those by which a service manager speaks to the server.
var managerVariables = []string{
	"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
}

// workerEnviron returns the variables of an environment that workers get: not the settings
// of the server, except those that the built-in workers have too, and not what the service
// manager says to the server.
func workerEnviron(environ []string) (list []string) {
	drop := map[string]bool{}
	for _, name := range managerVariables {
		drop[name] = true
	}
	nothing := func(string) string { return "" }
	var server settings
	for o := range server.flags(nothing).All() {
		for _, name := range o.Variables() {
			drop[name] = true
		}
	}
	var worker workerSettings
	for o := range worker.flags("echo", "", nothing).All() {
		delete(drop, cli.EnvName(o.Name))
	}
	for _, variable := range environ {
		if name, _, _ := strings.Cut(variable, "="); !drop[name] {
			list = append(list, variable)
		}
	}
	return list
}
