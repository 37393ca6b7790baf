package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/upgrade"
	"github.com/wavey-ai/upload-response/server/metrics"
)

// adminListener is the admin listener of a service. The zero value is none.
type adminListener struct {
	events   *admin.Events
	listener net.Listener
	server   *admin.Server
}

// watch returns a log whose records the readers of the events get, too.
func (a *adminListener) watch(log *slog.Logger) *slog.Logger {
	a.events = admin.NewEvents()
	return slog.New(a.events.Handler(log.Handler()))
}

// listen takes the address.
func (a *adminListener) listen(s *adminSettings, p *upgrade.Predecessor) (err error) {
	if s.address == (admin.Address{}) {
		return nil
	}
	if file := p.Take(adminSocket + s.address.String()); file != nil {
		a.listener, err = net.FileListener(file)
		return errors.Join(err, file.Close())
	}
	if a.listener, err = s.address.Listen(); err != nil {
		return fmt.Errorf("admin listener %s: %w (choose another address with --admin, or off)", s.address,
			systemError(err))
	}
	return nil
}

// adminSocket is how the name of the admin listener begins for a process that takes over.
const adminSocket = "admin "

// ownFile says whether close removes the file of the socket, if it is a Unix socket.
func (a *adminListener) ownFile(yes bool) {
	if socket, ok := a.listener.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(yes)
	}
}

// where returns the address, with the port that the kernel chose for port 0.
func (a *adminListener) where() string {
	switch {
	case a.listener == nil:
		return "off"
	case a.listener.Addr().Network() == "unix":
		return "unix:" + a.listener.Addr().String()
	}
	return a.listener.Addr().String()
}

// serve answers from now on.
func (a *adminListener) serve(c admin.Config, failed func(error)) {
	if a.listener == nil {
		return
	}
	c.Events = a.events
	a.server = admin.New(c)
	go func() { failed(a.server.Serve(a.listener)) }()
}

// reloaded tells the readers of the events what became of a reload.
func (a *adminListener) reloaded(how string) {
	a.events.Publish(admin.Event{Type: admin.TypeReload, Message: how})
}

// drain has /readyz say that the server is about to end.
func (a *adminListener) drain() {
	if a.server != nil {
		a.server.SetDraining()
	}
}

// adminTimeout is how long running requests to the admin listener may take at the end.
const adminTimeout = time.Second

// close ends the listener.
func (a *adminListener) close() {
	if a.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
		defer cancel()
		a.server.Shutdown(ctx)
	} else if a.listener != nil {
		_ = a.listener.Close()
	}
}

// adminConfig says what the admin listener shows.
func (v *service) adminConfig() admin.Config {
	s := &v.settings.admin
	return admin.Config{
		Router: v.router, Supervisor: v.workers, Metrics: metrics.Handler(metrics.NewRegistry(v.metricsSources())),
		Configuration: v.liveConfig(), Reload: v.reloadNow, Upgrade: v.upgrade,
		Address: s.address, Token: s.token, Pprof: s.pprof, Log: v.log,
	}
}

// warnOfAdmin warns when other machines may read what the admin listener shows.
func (v *service) warnOfAdmin() {
	if s := &v.settings.admin; s.address.Public() && s.token == "" {
		v.log.Warn("other machines can read the status of the server: give --admin-token", "admin", s.address)
	}
}
