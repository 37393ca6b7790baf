package main

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// watchdog tells the service manager that the server is alive, twice in the time after which that would end it
// (WatchdogSec=). A nil one does nothing.
//
// What it proves is what [server.Server.Pulse] says: the loop that looks after every request goes round, and no lock
// is stuck that a request takes on its way to a worker, nor the supervisor's. Not that workers respond: a worker
// that does not is replaced, and the server is not to end for it; nor that descriptors or memory are left, which
// a new start would not give back.
type watchdog struct {
	service *service
	ticker  *time.Ticker
	last    uint64 // pulse
}

// newWatchdog returns nil if the service manager does not want to know. Release: stop.
func (v *service) newWatchdog() *watchdog {
	timeout, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		v.log.Warn("the watchdog of the service manager is not told", "error", err)
	}
	if err != nil || timeout < 2 {
		return nil
	}
	w := &watchdog{service: v, ticker: time.NewTicker(timeout / 2)}
	w.ping()
	return w
}

// due returns a channel that has something when it is time for a ping; nil: never.
func (w *watchdog) due() <-chan time.Time {
	if w == nil {
		return nil
	}
	return w.ticker.C
}

// ping tells that the server is alive, unless it has made no progress since the last time. It hangs when a lock does.
func (w *watchdog) ping() {
	v := w.service
	_ = v.workers.Apps()
	pulse := v.server.Pulse()
	if pulse == w.last {
		v.log.Error("the server makes no progress: the watchdog of the service manager is not told")
		return
	}
	w.last = pulse
	v.manager.mu.Lock()
	defer v.manager.mu.Unlock()
	v.manager.say("", daemon.SdNotifyWatchdog)
}

func (w *watchdog) stop() {
	if w != nil {
		w.ticker.Stop()
	}
}
