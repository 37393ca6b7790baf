package main

import (
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells the service manager, if there is one that wants to know (sd_notify(3)).
func (v *service) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		v.log.Warn("the service manager was not told", "state", state, "error", err)
	}
}

// notifyReady tells that this process serves, and that it is the one which does: after an upgrade another one was.
func (v *service) notifyReady() {
	v.notify("MAINPID=" + strconv.Itoa(os.Getpid()) + "\n" + daemon.SdNotifyReady)
}

// notifyReloading tells that files are read again. Release: the returned function, when that is done.
func (v *service) notifyReloading() (done func()) {
	v.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	return func() { v.notify(daemon.SdNotifyReady) }
}
