package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/worker"
)

// service is a running server: its listeners, its router, and its worker
// processes.
type service struct {
	settings  *settings
	log       *slog.Logger
	signals   chan os.Signal
	identity  *identity // nil: nothing is secure
	entrances []*listen.Listener
	socket    *net.UnixListener
	router    *server.UploadResponseRouter
	server    *server.Server
	workers   *supervisor
	outputs   []*logWriter
	relays    []*os.File // where workers write for them
	relaying  sync.WaitGroup
	failed    chan error // why it cannot go on
	ctx       context.Context
	cancel    context.CancelFunc // ends ctx: nothing more is to begin
}

// openService takes the port, the socket, and the memory, and starts to serve.
// Release: run, which returns when it has stopped.
func openService(s *settings, stdout, stderr io.Writer) (_ *service, err error) {
	v := &service{settings: s, log: s.logging.logger(stderr, s.logging.level), signals: make(chan os.Signal, 4), failed: make(chan error, 4+len(s.door.listen))}
	signal.Notify(v.signals, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	v.ctx, v.cancel = context.WithCancel(context.Background())
	if err := errors.Join(keepDescriptors(), setDumpable(s.dumpable)); err != nil {
		v.log.Warn("the server is not shielded from its workers", "error", err)
	}
	for _, w := range []io.Writer{stdout, stderr} {
		if writer, ok := w.(*logWriter); ok {
			v.outputs = append(v.outputs, writer)
		}
	}
	defer func() {
		if err != nil {
			v.giveUp()
		}
	}()
	if err = s.checkWorkers(); err != nil {
		return nil, err
	}
	if v.identity, err = s.door.identify(v.log); err != nil {
		return nil, err
	}
	if err = v.enter(); err != nil {
		return nil, err
	}
	if v.socket, err = server.ListenWorkers(s.socket, s.shared()); err != nil {
		return nil, fmt.Errorf("%w (choose another path with --socket)", err)
	}
	s.config.Log = v.log
	if s.accessLog {
		s.config.AccessLog = s.logging.logger(stdout, slog.LevelInfo)
		v.watch(stdout)
	}
	v.supervise()
	if v.router, err = server.NewRouter(s.config); err != nil {
		return nil, s.routerError(err)
	}
	v.start()
	return v, nil
}

// watch has it said in the log when the access log cannot be written.
func (v *service) watch(accessLog io.Writer) {
	if writer, ok := accessLog.(*logWriter); ok {
		writer.trouble = func(why error) { v.log.Warn("lines of the access log are lost", "cause", why) }
	}
}

// lostLines returns how many lines of the logs could not be written.
func (v *service) lostLines() (n int64) {
	for _, w := range v.outputs {
		n += w.lost.Load()
	}
	return n
}

// outputFor returns what worker processes have for a standard output, or error, of ours.
// A pipe that nobody reads any more would end every one that prints: they have one of our
// own instead, and lines get lost.
func (v *service) outputFor(own *os.File) *os.File {
	i := slices.IndexFunc(v.outputs, func(w *logWriter) bool { return w.file == own })
	info, err := own.Stat()
	if i < 0 || err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return own
	}
	r, w, err := os.Pipe()
	if err != nil {
		return own
	}
	v.relays = append(v.relays, w)
	v.relaying.Go(func() { relay(v.outputs[i], r) })
	return w
}

// relay passes lines on until nobody can write any more.
func relay(to io.Writer, from io.ReadCloser) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, 64<<10)
	for {
		line, err := lines.ReadSlice('\n') // or as much as fits
		_, _ = to.Write(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// endRelays waits a moment for what the workers have said last.
func (v *service) endRelays() {
	for _, w := range v.relays {
		_ = w.Close()
	}
	ended := make(chan struct{})
	go func() {
		v.relaying.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(exitPatience): // a process that a worker left behind has it
	}
}

// giveUp frees what openService had taken before it failed.
func (v *service) giveUp() {
	v.cancel()
	signal.Stop(v.signals)
	if v.socket != nil {
		_ = v.socket.Close()
	}
	for _, e := range v.entrances {
		_ = e.Close()
	}
}

// enter listens for clients.
func (v *service) enter() error {
	d := &v.settings.door
	for _, address := range d.listen {
		e, err := address.Listen(d.mode, d.http3)
		if err != nil {
			return fmt.Errorf("cannot listen on %s: %w (choose another address with --listen)", address, cause(err))
		}
		v.entrances = append(v.entrances, e)
	}
	return nil
}

// cause returns the error of the system call that failed, without the words that
// package net puts around it.
func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// routerError says which flag to change.
func (s *settings) routerError(err error) error {
	detail := err.Error()
	switch {
	case errors.Is(err, shm.ErrNoMemory):
		return fmt.Errorf("--memory %s: %s", formatSize(s.config.Memory), strings.TrimPrefix(detail, "shm: "))
	case errors.Is(err, shm.ErrGeometry):
		detail = strings.TrimPrefix(detail, shm.ErrGeometry.Error()+": ")
		return &usageError{"upload-response serve", fmt.Errorf("--memory %s, half of it for requests: %s", formatSize(s.config.Memory), detail)}
	}
	return err
}

func (v *service) start() {
	v.server = server.NewLimitedServer(v.router, v.settings.door.limits, v.log)
	go func() { v.fail(v.router.ServeWorkers(v.socket)) }()
	var listening []string
	for _, e := range v.entrances {
		listening = append(listening, e.String())
		go func() { v.fail(v.server.ServeListener(e, v.identity.config())) }()
	}
	v.fail(v.identity.keep(v.ctx))
	v.workers.stdout, v.workers.stderr = v.outputFor(os.Stdout), v.outputFor(os.Stderr)
	v.workers.hopeless = v.router.Hopeless
	for _, spec := range v.settings.workers {
		v.workers.keep(spec)
	}
	v.log.Info("ready", "listen", strings.Join(listening, " "), "socket", v.settings.socket, v.settings.plan(v.router.Stats().TotalBuffers))
}

// supervise readies the supervisor, whom the router asks who a worker is.
func (v *service) supervise() {
	s := v.settings
	v.workers = newSupervisor(v.log, append(s.user.env(),
		envName("socket")+"="+absolute(s.socket), worker.ServerUIDVariable+"="+strconv.Itoa(os.Geteuid())))
	v.workers.user, v.workers.dumpable = s.user, s.dumpable
	if len(s.workers) > 0 {
		s.config.Started = v.workers.startedFor
	}
}

// absolute returns a path that is good in any folder, for workers that change
// theirs.
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

// run serves until a signal or a failure ends the service.
func (v *service) run() error {
	defer signal.Stop(v.signals)
	var failure error
	for stopping := false; !stopping; {
		select {
		case failure = <-v.failed:
			stopping = true
		case s := <-v.signals:
			if stopping = !v.report(s); stopping {
				v.log.Info("stopping", "signal", s, "timeout", v.settings.shutdown)
			}
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- v.stop() }()
	for {
		select {
		case err := <-stopped:
			return errors.Join(failure, err)
		case s := <-v.signals:
			if !v.report(s) {
				_ = v.socket.Close() // removes the file
				return fmt.Errorf("stopped at once by a second signal (%v)", s)
			}
		}
	}
}

// report logs what the router holds, or reads the certificate again, if the signal
// asks for that, or says that it does nothing; any other signal asks for the end.
func (v *service) report(s os.Signal) bool {
	switch s {
	case unix.SIGUSR1:
		attrs := append(statsAttrs(v.router.Stats()), slog.Int64("lost_log_lines", v.lostLines()))
		v.log.LogAttrs(context.Background(), slog.LevelInfo, "stats", attrs...)
	case unix.SIGHUP:
		if v.identity.reloads() {
			v.identity.reload()
			return true
		}
		v.log.Info("nothing to do", "signal", s, "because", "there is no certificate in files")
	case unix.SIGUSR2:
		v.log.Info("nothing to do", "signal", s, "because", "it has no meaning")
	default:
		return false
	}
	return true
}

// statsAttrs makes an attribute of each field, named as in JSON.
func statsAttrs(stats server.Stats) (attrs []slog.Attr) {
	values := reflect.ValueOf(stats)
	for i, field := range reflect.VisibleFields(values.Type()) {
		attrs = append(attrs, slog.Any(field.Tag.Get("json"), values.Field(i).Interface()))
	}
	return attrs
}

// workerPatience is how long worker processes may take to end once the requests
// have.
const workerPatience = 5 * time.Second

// stop finishes what is running. The socket goes first: the next server can have
// it, while the links of this one go on.
func (v *service) stop() error {
	v.cancel()
	_ = v.socket.Close()
	ctx, cancel := context.WithTimeout(context.Background(), v.settings.shutdown)
	defer cancel()
	if err := v.server.Shutdown(ctx); err != nil {
		v.log.Warn("requests cut off", "error", err)
	}
	v.workers.stop(workerPatience)
	v.endRelays()
	err := v.router.Close()
	v.log.Info("stopped")
	return err
}
