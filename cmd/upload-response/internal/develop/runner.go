package develop

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/worker"
)

// Runner keeps an application running, as a worker of a server, until its context ends.
type Runner struct {
	App            *App
	Environment    []string                     // of the process, with the socket of the server in it
	Socket, Pool   string                       // of the server
	Reload         bool                         // start again when a file changes
	Links          func() (now int, ever int64) // attached workers
	Stdout, Stderr io.Writer
	Log            *slog.Logger
}

// The times of a process.
const (
	// stopTime is how long it may take to end after SIGTERM.
	stopTime = 5 * time.Second
	// attachTime is how long it may take to attach before the log asks why.
	attachTime = 10 * time.Second
	// pause is how long to wait before a process that had served is started again.
	pause = 500 * time.Millisecond
	// lookTime is how often to look whether it has attached.
	lookTime = 10 * time.Millisecond
)

// Run starts the application, again after each change, and again when it ends after it had
// attached. When it ends before that, requests get a page that says why, until a file changes.
func (r *Runner) Run(ctx context.Context) error {
	changes := make(chan string)
	failed := make(chan error, 1)
	if r.Reload {
		w, err := newWatcher(r.App.Folder, r.App.Patterns)
		if err != nil {
			return fmt.Errorf("cannot watch %s: %w (--reload=false leaves it)", r.App.Folder, err)
		}
		defer w.files.Close()
		go func() { failed <- forward(ctx, w, changes) }()
	}
	for changed := ""; ctx.Err() == nil; {
		if changed != "" {
			r.Log.Info("starting again", "app", r.App.Name, "changed", changed)
		}
		changed = ""
		p, err := r.start()
		if err != nil {
			return err
		}
		go r.awaitAttach(p)
		select {
		case <-ctx.Done():
			p.stop()
		case err := <-failed:
			p.stop()
			return err
		case changed = <-changes:
			p.stop()
		case <-p.ended:
			changed = r.afterEnd(ctx, p, changes)
		}
		r.awaitDetach(ctx)
	}
	return nil
}

// forward sends changes until the context ends.
func forward(ctx context.Context, w *watcher, changes chan<- string) error {
	for {
		file, err := w.next(ctx)
		if err != nil {
			return err
		}
		select {
		case changes <- file:
		case <-ctx.Done():
			return nil
		}
	}
}

// afterEnd waits until it makes sense to start an application again that has ended. It
// returns the file that has changed, if it waited for that.
func (r *Runner) afterEnd(ctx context.Context, p *process, changes <-chan string) (changed string) {
	r.Log.Warn("the application has ended", "app", r.App.Name, "how", p.how)
	if r.attached(p) {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		return ""
	}
	shown, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.show(shown, newFailure(r.App.Name, p))
	}()
	select {
	case <-ctx.Done():
	case changed = <-changes:
	}
	stop()
	<-done
	return changed
}

// show answers all requests, as a worker, until the context ends.
func (r *Runner) show(ctx context.Context, handler http.Handler) {
	err := worker.Serve(ctx, r.Socket, handler, worker.WithPool(r.Pool), worker.WithName("error page"),
		worker.WithLanes(8), worker.WithLog(slog.New(slog.DiscardHandler)))
	if err != nil && ctx.Err() == nil {
		r.Log.Warn("the error page cannot be shown", "error", err)
	}
}

// awaitAttach notes that a process has attached, and warns when that takes long.
func (r *Runner) awaitAttach(p *process) {
	look, late := time.NewTicker(lookTime), time.After(attachTime)
	defer look.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-late:
			r.Log.Warn("the application has not attached yet: does it use an SDK, and the socket in "+
				"UPLOAD_RESPONSE_SOCKET?", "app", r.App.Name)
		case <-look.C:
			if r.attached(p) {
				r.Log.Info("serving", "app", r.App.Name)
				return
			}
		}
	}
}

// attached reports whether a process has ever attached.
func (r *Runner) attached(p *process) bool {
	_, ever := r.Links()
	return ever > p.before
}

// awaitDetach waits until the server has noticed that a process has ended.
func (r *Runner) awaitDetach(ctx context.Context) {
	for end := time.Now().Add(stopTime); ctx.Err() == nil && time.Now().Before(end); time.Sleep(lookTime) {
		if now, _ := r.Links(); now == 0 {
			return
		}
	}
}

// start starts the process.
func (r *Runner) start() (*process, error) {
	p := &process{output: &tail{to: r.Stderr}, ended: make(chan struct{})}
	_, p.before = r.Links()
	p.command = exec.Command(r.App.Command[0], r.App.Command[1:]...)
	p.command.Env = slices.Concat(r.Environment, r.App.Environment)
	p.command.Stdout, p.command.Stderr = r.Stdout, p.output
	p.command.WaitDelay = stopTime // for children in other groups that keep its output open
	// A session of its own keeps Ctrl-C from it: the server stops it. It dies with the server.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: %w", r.App.Name, err)
	}
	return p, nil
}
