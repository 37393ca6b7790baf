package main

import (
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// manager is the service manager that has started this process, such as systemd (sd_notify(3)). Without one nothing
// is said.
type manager struct {
	log *slog.Logger

	mu       sync.Mutex
	told     bool          // the last message arrived
	left     bool          // another process speaks now, or nobody
	reloads  int           // in progress
	failure  string        // why the last reload has changed nothing; empty: it was a good one
	status   string        // the last that was said
	finished chan struct{} // closed when left
}

// notifyTime bounds how long the service manager may take for a message: a server does not wait for one that hangs.
const notifyTime = 2 * time.Second

var errManagerSlow = errors.New("it takes no messages")

func newManager(log *slog.Logger) *manager {
	return &manager{log: log, told: true, finished: make(chan struct{})}
}

// say sends lines, and the status if there is a new one. The caller holds the lock.
func (m *manager) say(status string, lines ...string) {
	if status = oneStatusLine(status); status != "" && status != m.status {
		m.status = status
		lines = append(lines, "STATUS="+status)
	}
	if m.left || len(lines) == 0 {
		return
	}
	sent := make(chan error, 1)
	go func() {
		_, err := daemon.SdNotify(false, strings.Join(lines, "\n"))
		sent <- err
	}()
	var err error
	select {
	case err = <-sent:
	case <-time.After(notifyTime):
		err = errManagerSlow
	}
	if err != nil && m.told {
		m.log.Warn("the service manager was not told", "state", lines[0], "error", err)
	}
	m.told = err == nil
}

// longestStatus bounds a status, in bytes: systemd reads messages of up to 4096.
const longestStatus = 500

// oneStatusLine returns text as a status: one line of UTF-8, or systemd would not take it.
func oneStatusLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(text[:min(len(text), longestStatus)], "")
}

// ready tells that this process serves, and that it is the one which does: after an upgrade another one was.
func (m *manager) ready(status string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say(status, "MAINPID="+strconv.Itoa(os.Getpid()), daemon.SdNotifyReady)
}

// reloading tells that files are read again. Release: reloaded, when that is done.
func (m *manager) reloading() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reloads++
	m.say("", daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// reloaded tells what came of it: the service is ready again, also if nothing has changed because of an error. Of
// several reloads at a time the last to end tells that.
func (m *manager) reloaded(failure error, status func() string) {
	m.noteReload(failure)
	text := status()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reloads--; m.reloads == 0 {
		m.say(text, daemon.SdNotifyReady)
	}
}

// noteReload notes what the status is to say of the last reload.
func (m *manager) noteReload(failure error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failure = ""; failure != nil {
		m.failure = oneLine(failure)
	}
}

// stopping tells that the service is about to end.
func (m *manager) stopping(status string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say(status, daemon.SdNotifyStopping)
}

// handOver tells which process serves in place of this one, and nothing from then on: a message of this one, such as
// that it is alive, would count for the other. systemd believes the main process; only with NotifyAccess=all it
// has already believed the other one.
func (m *manager) handOver(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say("", "MAINPID="+strconv.Itoa(pid))
	m.leave()
}

// close ends what is said.
func (m *manager) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leave()
}

// leave is close for a caller that holds the lock.
func (m *manager) leave() {
	if !m.left {
		m.left = true
		close(m.finished)
	}
}

// statusEvery is how often the service manager hears a new status at most.
const statusEvery = time.Second

// keepTold tells the service manager what the service does, when that has changed, and with WATCHDOG_USEC that the
// service is alive, for as long as it is: it returns when another process speaks, or nobody.
func (v *service) keepTold() {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	w := v.newWatchdog()
	defer w.stop()
	for {
		select {
		case <-status.C:
			text := v.statusLine()
			v.manager.mu.Lock()
			v.manager.say(text)
			v.manager.mu.Unlock()
		case <-w.due():
			w.ping()
		case <-v.manager.finished:
			return
		}
	}
}
