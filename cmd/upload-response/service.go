package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/supervise"
	"github.com/wavey-ai/upload-response/server/tracing"
	"github.com/wavey-ai/upload-response/shm"
)

// service is a running server: the listeners, the router, and the worker processes.
type service struct {
	settings     *settings                // of the start
	current      atomic.Pointer[settings] // those in effect
	reloading    sync.Mutex               // held while the configuration changes
	onDisk       []byte                   // what the file held when it was read or written; guarded by reloading
	reloadFailed atomic.Bool              // the file was read again last without success
	log          *slog.Logger
	access       accessLog    // guarded by reloading, once the service runs
	workerLog    *slog.Logger // takes what workers print, whatever the level
	manager      *manager
	signals      chan os.Signal
	certificates *certificates   // nil: no address needs one
	systemd      *listen.Systemd // sockets from it; nil: there are none, or the predecessor has them
	listeners    []*listen.Listener
	socket       *net.UnixListener // for workers
	router       *server.UploadResponseRouter
	server       *server.Server
	workers      *supervise.Supervisor
	output       serverOutput
	admin        adminListener
	failed       chan error     // why it cannot go on
	draining     atomic.Bool    // it is about to end
	metrics      *metricsServer // nil: nobody asks for them
	logsLock     sync.Mutex
	logFiles     []openLog       // guarded by logsLock
	tracer       *tracing.Tracer // nil: requests are not traced
	ctx          context.Context
	cancel       context.CancelFunc // ends ctx: nothing new begins
	beforeStop   func()             // called when the service is about to end, and waited for; nil: nothing
	replaceable  bool               // by a new process of the program
	upgrading    sync.Mutex         // held while a new process starts
	left         bool               // a new process serves in place of this one; guarded by upgrading
	replaced     chan int           // then its id is here
}

// openService takes the ports, the socket, and the memory, and starts to serve.
// Release: run, which returns when the service has stopped.
func openService(s *settings, stdout, stderr io.Writer) (_ *service, err error) {
	v := &service{
		settings: s, log: s.logging.logger(stderr, s.logging.level),
		workerLog: s.logging.logger(stderr, slog.LevelInfo),
		signals:   make(chan os.Signal, 4), failed: make(chan error, 4+len(s.listeners.addresses)),
		replaced: make(chan int, 1),
	}
	v.current.Store(s)
	if s.file != nil {
		v.onDisk = s.file.Text()
	}
	signal.Notify(v.signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	v.ctx, v.cancel = context.WithCancel(context.Background())
	if err := errors.Join(closeDescriptorsOnExec(), setDumpable(s.dumpable)); err != nil {
		v.log.Warn("the server is not protected from its workers", "error", err)
	}
	v.output.add(stdout)
	v.output.add(stderr)
	defer func() {
		if err != nil {
			v.release()
		}
	}()
	if err = v.openLogs(stdout, stderr); err != nil {
		return nil, err
	}
	v.manager = newManager(v.log)
	if err = s.checkPrograms(); err != nil {
		return nil, err
	}
	if err = v.listen(); err != nil {
		return nil, err
	}
	if err = v.openTracing(); err != nil {
		return nil, err
	}
	v.forRouter(s)
	v.prepareWorkers()
	if v.router, err = server.NewRouter(s.config); err != nil {
		return nil, s.routerError(err)
	}
	if err = v.start(); err != nil {
		return nil, err
	}
	return v, nil
}

// release frees what openService had taken before it failed.
func (v *service) release() {
	v.cancel()
	signal.Stop(v.signals)
	if v.workers != nil {
		v.workers.Stop()
	}
	if v.socket != nil {
		_ = v.socket.Close()
	}
	for _, l := range v.listeners {
		_ = l.Close()
	}
	v.admin.close()
	v.metrics.close()
	v.closeTracing()
	v.flushLogs()
}

// listen loads the certificates, and listens for clients and for workers.
func (v *service) listen() (err error) {
	s := v.settings
	if v.certificates, err = s.listeners.loadCertificates(v.log); err != nil {
		return err
	}
	if s.predecessor == nil {
		v.systemd = listen.NewSystemd(os.Getenv)
	}
	for _, address := range s.listeners.addresses {
		l, err := v.openListener(address)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w (choose another address with --listen)", address,
				systemError(err))
		}
		v.listeners = append(v.listeners, l)
	}
	if v.metrics, err = v.openMetrics(); err != nil {
		return err
	}
	if left := v.systemd.Left(); len(left) > 0 {
		return fmt.Errorf("systemd has opened sockets that no address takes: %s: add --listen fd:NAME, or "+
			"https+fd:NAME for TLS and, with a datagram socket, HTTP/3; or remove them from the socket unit",
			strings.Join(left, ", "))
	}
	if err = v.listenWorkers(); err != nil {
		return fmt.Errorf("%w (choose another path with --socket)", err)
	}
	return v.admin.listen(&s.admin, s.predecessor)
}

// systemError returns the error of the system call that failed, without the words that
// package net puts around it.
func systemError(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// routerError says which flag to change.
func (s *settings) routerError(err error) error {
	detail := err.Error()
	memory := cli.FormatSize(s.config.Memory)
	switch {
	case errors.Is(err, shm.ErrNoMemory):
		return fmt.Errorf("--memory %s: %s", memory, strings.TrimPrefix(detail, "shm: "))
	case errors.Is(err, shm.ErrGeometry):
		detail = strings.TrimPrefix(detail, shm.ErrGeometry.Error()+": ")
		return &cli.UsageError{Command: serveCommand,
			Err: fmt.Errorf("--memory %s, half of it for requests: %s", memory, detail)}
	}
	return err
}

// start starts the workers, and serves. In place of another process it does so when the workers are
// there, or returns why they are not.
func (v *service) start() error {
	v.server = server.NewLimitedServer(v.router, v.settings.listeners.limits, v.log)
	go func() { v.fail(v.router.ServeWorkers(v.socket)) }()
	v.fail(v.workers.Apply(v.settings.apps))
	if err := v.awaitTurn(); err != nil {
		return err
	}
	v.admin.serve(v.adminConfig(), v.fail)
	var listening []string
	for _, l := range v.listeners {
		listening = append(listening, l.String())
		go func() { v.fail(v.server.ServeListener(l, v.certificates.tlsConfig())) }()
	}
	v.fail(v.certificates.manage(v.ctx))
	v.metrics.start(v.metricsSources(), v.log, v.fail)
	v.takeOver()
	v.log.Info("ready", "listen", strings.Join(listening, " "), "socket", v.settings.socket, "admin", v.admin.where(),
		v.settings.memoryPlan(v.router.Stats().TotalBuffers))
	v.manager.ready(v.statusLine())
	go v.keepTold()
	return nil
}

// absolute returns a path that is valid in any folder, for workers that change theirs.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// fail ends the service if err is not nil.
func (v *service) fail(err error) {
	if err != nil {
		v.failed <- err
	}
}

// oneSignal is how long after the first signal to end another one says the same: timeout(1), npm, uv and
// make pass on a signal to a process that has got it from them, or from the terminal, already.
const oneSignal = 100 * time.Millisecond

// run serves until a signal or a failure ends the service.
func (v *service) run() error {
	defer signal.Stop(v.signals)
	defer v.flushLogs()
	var failure error
	var signalled time.Time // zero: it ends for another reason
	for stopping := false; !stopping; {
		select {
		case failure = <-v.failed:
			stopping = true
		case s := <-v.signals:
			if stopping = !v.handle(s); stopping {
				signalled = time.Now()
				v.log.Info("stopping", "signal", s, "timeout", v.now().shutdown)
			}
		case pid := <-v.replaced:
			stopping = true
			v.log.Info("stopping: another process serves", "pid", pid, "timeout", v.now().shutdown)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- v.stop() }()
	for {
		select {
		case err := <-stopped:
			return errors.Join(failure, err)
		case s := <-v.signals:
			if !v.handle(s) && time.Since(signalled) >= oneSignal {
				_ = v.socket.Close() // removes the file
				return fmt.Errorf("stopped at once by a second signal (%v)", s)
			}
		}
	}
}

// Draining reports whether the service is about to end, and is to get no new connections.
func (v *service) Draining() bool { return v.draining.Load() }

// stop finishes what is running, after the delay in which balancers notice that the service is
// about to end. The worker socket closes first, so that another server can have it while the
// workers of this one finish.
func (v *service) stop() error {
	v.cancel() // also of an upgrade
	v.upgrading.Lock()
	defer v.upgrading.Unlock()
	if v.left {
		return v.leave()
	}
	v.admin.drain()
	v.draining.Store(true)
	v.manager.stopping(v.statusLine())
	if v.beforeStop != nil {
		v.beforeStop()
	}
	if delay := v.now().drainDelay; delay > 0 {
		v.server.Retreat()
		time.Sleep(delay)
	}
	_ = v.socket.Close()
	ctx, cancel := context.WithTimeout(context.Background(), v.now().shutdown)
	defer cancel()
	if err := v.server.Shutdown(ctx); err != nil {
		v.log.Warn("requests cut off", "error", err)
	}
	return v.end()
}

// end ends the workers when nothing runs any more.
func (v *service) end() error {
	v.workers.Stop()
	v.closeTracing()
	v.metrics.close()
	v.admin.close()   // it asks the router
	v.manager.close() // the loops end now
	err := v.router.Close()
	v.log.Info("stopped")
	return err
}
