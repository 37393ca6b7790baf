package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/develop"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/worker"
)

const runExample = `
# An application of Flask, Django, FastAPI or Starlette, on http://127.0.0.1:8080
upload-response run shop.wsgi:app

# The application in a file, or in a folder
upload-response run app.py
upload-response run .

# A worker in any language, started again when it is built again
upload-response run ./build/worker
`

const runNotes = `
For development: the application is started again when a file of it changes, and a page with the
traceback shows why it does not start. In production, use 'upload-response serve'.

APP is MODULE:NAME or MODULE:FACTORY() in Python, a file.py, a program, or a folder with manage.py,
app.py, main.py, application.py, asgi.py or wsgi.py. An application in Python is WSGI or ASGI,
as its signature says; a file without one is run as a program. Python is that of VIRTUAL_ENV, or
of .venv or venv in the folder of the application, or python3.
`

// runSettings is what the command line of run says.
type runSettings struct {
	settings
	app    develop.Options
	watch  []string // patterns besides those of the application
	reload bool
}

// developLine is a request in the access log, for somebody who looks at it.
const developLine = "{time} {status} {method} {target} {duration_s} s"

// runPool is the pool of the application.
const runPool = "default"

func (s *runSettings) flags(getenv func(string) string) *cli.FlagSet {
	s.settings.flags(getenv)
	s.listeners = newListenerSettings(getenv, "127.0.0.1")
	s.accessLog, s.shutdown, s.reload = true, 2*time.Second, true
	s.socket = fmt.Sprintf("%s/upload-response-run-%d.sock", os.TempDir(), os.Getpid())
	s.config.QueueTime = time.Minute // requests wait while the application starts
	s.app = develop.Options{Interface: "auto", Getenv: getenv}
	log := s.logging.flags()
	s.logging.level = slog.LevelWarn // of the server
	log.Options[0].Default = "warn"
	log.Options = append(log.Options, cli.Option{
		Name: "access-log", Help: "write a line for every request to standard output", Default: "true",
		Parse: cli.Toggle(&s.accessLog),
	})
	interfaces := []string{"auto", "wsgi", "asgi"}
	return &cli.FlagSet{
		Command: "upload-response run", Args: "APP", Example: runExample, Notes: runNotes,
		Summary: "runs an application while you work on it",
		Groups: []cli.Group{{Heading: "Application", Options: []cli.Option{
			{Name: "interface", Arg: "NAME", Help: "of an application in Python: " + cli.OneOf(interfaces),
				Default: s.app.Interface, Parse: cli.Choice(&s.app.Interface, interfaces...), Words: interfaces},
			{Name: "python", Arg: "PATH", Help: "interpreter", Default: "of the virtual environment, or python3",
				Parse: cli.Text(&s.app.Python)},
			{Name: "reload", Help: "start the application again when a file changes", Default: "true",
				Parse: cli.Toggle(&s.reload)},
			{Name: "watch", Arg: "PATTERN", Help: "files to watch besides *.py or the program, as in *.html; repeat",
				Parse: func(p string) error { s.watch = append(s.watch, p); return nil }, Split: cli.Words},
		}}, {Heading: "Addresses", Options: []cli.Option{
			s.listeners.listenFlag(),
			{Name: "socket", Arg: "PATH", Help: "Unix socket for workers",
				Default: os.TempDir() + "/upload-response-run-PID.sock", Parse: socketPath(&s.socket)},
		}}, s.listeners.securityFlags(), log},
	}
}

func (p *program) runCommand() *cobra.Command {
	var s runSettings
	flags := s.flags(p.getenv)
	c := cli.NewCommand(flags, p.getenv, func(args []string) error {
		if len(args) != 1 {
			return flags.Usage(errors.New("want one application: MODULE:NAME, a file.py, a program, or a folder"))
		}
		if err := s.finish(flags); err != nil {
			return err
		}
		if s.logging.format == "text" {
			s.logFiles.accessFormat = developLine
		}
		pools := []string{runPool}
		s.config.Supervised, s.config.OpenPools = pools, pools // so that requests wait, and any worker attaches
		s.config.StuckAfter = server.Never                     // it may stand at a breakpoint
		s.config.PoolConfigs = map[string]server.PoolConfig{   // a request that ends the application ends it once
			runPool: {Retries: &server.Retries{OnRefused: true}},
		}
		return p.runApp(&s, args[0])
	})
	c.ValidArgsFunction = nil // files
	return c
}

// runApp runs a server and an application until a signal ends them.
func (p *program) runApp(s *runSettings, name string) error {
	if self, err := os.Executable(); err == nil {
		s.app.SDK = develop.SDKBeside(self)
	}
	app, err := develop.Find(name, s.app)
	if err != nil {
		return err
	}
	app.Patterns = append(app.Patterns, s.watch...)
	p.survivePipes()
	v, err := openService(&s.settings, p.stdout, p.stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\n%s is at %s/\n%s\n\n", name, localURL(v.listeners[0]), s.advice())
	ended := make(chan struct{})
	v.beforeStop = func() { <-ended } // the application lets its requests finish, too
	go func() {
		defer close(ended)
		v.fail(s.runner(p, v, app).Run(v.ctx))
	}()
	return v.run()
}

func (s *runSettings) advice() string {
	if s.reload {
		return "It starts again when a file changes. Ctrl-C stops it."
	}
	return "Ctrl-C stops it."
}

// runner returns what runs the application for a server.
func (s *runSettings) runner(p *program, v *service, app *develop.App) *develop.Runner {
	return &develop.Runner{
		App: app, Socket: absolute(s.socket), Pool: runPool, Reload: s.reload,
		Environment: append(workerEnviron(os.Environ()), cli.EnvName("socket")+"="+absolute(s.socket),
			cli.EnvName("pool")+"="+runPool, worker.ServerUIDVariable+"="+strconv.Itoa(os.Geteuid())),
		Links: func() (int, int64) {
			stats := v.router.Stats()
			return stats.Links, stats.Attached
		},
		Stdout: p.stdout, Stderr: p.stderr, Log: s.logging.logger(p.stderr, slog.LevelInfo),
	}
}
