package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/worker"
)

// builtins are the workers that come with the program.
var builtins = []struct {
	name    string
	summary string
	handler http.HandlerFunc
}{
	{"echo", "sends the body back while it comes in, and the messages of a WebSocket", echo},
	{"digest", `answers {"sha256":"...","bytes":N}`, digest},
	{"discard", `answers {"bytes":N}`, discard},
}

func builtinNames() string {
	var names []string
	for _, b := range builtins {
		names = append(names, b.name)
	}
	return cli.OneOf(names)
}

// workerSettings is what the command line of a built-in worker says.
type workerSettings struct {
	socket, pool, name string
	lanes              int
	logging            logging
}

func (s *workerSettings) flags(kind, summary string, getenv func(string) string) *cli.FlagSet {
	*s = workerSettings{socket: attach.DefaultSocket(getenv), pool: kind, name: kind + "-" + strconv.Itoa(os.Getpid()),
		lanes: 64}
	return &cli.FlagSet{
		Command: "upload-response worker " + kind,
		Summary: "runs a worker that " + summary,
		Groups: []cli.Group{{Heading: "Worker", Options: []cli.Option{
			{Name: "socket", Arg: "PATH", Help: "Unix socket of the server", Default: s.socket,
				Parse: socketPath(&s.socket)},
			{Name: "pool", Arg: "POOL", Help: "pool whose requests this worker serves", Default: s.pool,
				Parse: poolName(&s.pool)},
			{Name: "lanes", Arg: "N", Help: "most requests at once", Default: strconv.Itoa(s.lanes),
				Parse: cli.Number(&s.lanes, 1, 1, attach.MaxLanes)},
			{Name: "name", Arg: "NAME", Help: "name in the logs of the server", Default: kind + "-PID",
				Parse: cli.Text(&s.name)},
		}}, s.logging.flags()},
	}
}

// worker runs the built-in worker that args name.
func (p *program) worker(args []string) error {
	const self = "upload-response worker"
	if len(args) == 0 {
		return &cli.UsageError{Command: self, Err: errors.New("no worker: want " + builtinNames())}
	}
	for _, b := range builtins {
		if b.name == args[0] {
			return p.runWorker(b.name, b.summary, b.handler, args[1:])
		}
	}
	if !cli.IsHelp(args[0]) {
		return &cli.UsageError{Command: self, Err: fmt.Errorf("unknown worker %q: want %s", args[0], builtinNames())}
	}
	fmt.Fprintf(p.stdout, "%s: runs a worker that comes with the program.\n\nUsage: %s NAME [flags]\n\n", self, self)
	for _, b := range builtins {
		fmt.Fprintf(p.stdout, "  %-8s %s\n", b.name, b.summary)
	}
	fmt.Fprintf(p.stdout, "\n'%s NAME --help' lists the flags.\n", self)
	return nil
}

// runWorker serves until SIGTERM, SIGINT or SIGQUIT, and then finishes the running requests.
// A second signal ends the process.
func (p *program) runWorker(kind, summary string, handler http.Handler, args []string) error {
	var s workerSettings
	flags := s.flags(kind, summary, p.getenv)
	if done, err := flags.ParseOrHelp(args, p.getenv, p.stdout); done || err != nil {
		return err
	}
	p.survivePipes()
	log := s.logging.logger(p.stderr, s.logging.level)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	context.AfterFunc(ctx, stop)
	ignoreSignals(log, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	return worker.Serve(ctx, s.socket, handler, worker.WithPool(s.pool), worker.WithName(s.name),
		worker.WithLanes(s.lanes), worker.WithLog(log))
}

// ignoreSignals keeps signals from ending the process, and logs them.
func ignoreSignals(log *slog.Logger, signals ...os.Signal) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, signals...)
	go func() {
		for s := range received {
			log.Info("signal ignored", "signal", s)
		}
	}()
}

// echo sends the body back as it comes in.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "websocket" {
		echoMessages(w, r)
		return
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	w.Header().Set("Content-Type", contentType)
	if r.ContentLength > 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	_, err := io.Copy(flushWriter{w, http.NewResponseController(w)}, r.Body)
	abortOn(err)
}

// echoMessages sends messages back, part for part.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	socket, err := worker.AcceptWebSocket(w, r)
	abortOn(err)
	for {
		part, err := socket.ReadPart(r.Context())
		if errors.As(err, new(*worker.CloseError)) {
			return
		}
		abortOn(err)
		abortOn(socket.WritePart(r.Context(), part.Kind, part.Bytes, part.Final))
		socket.Release(part)
	}
}

// flushWriter flushes after every write.
type flushWriter struct {
	w          io.Writer
	controller *http.ResponseController
}

// Write writes and flushes.
func (f flushWriter) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	return n, errors.Join(err, f.controller.Flush())
}

// digest hashes the body where it lies in shared memory.
func digest(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	abortOn(err)
	writeJSON(w, struct {
		SHA256 string `json:"sha256"`
		Bytes  int64  `json:"bytes"`
	}{hex.EncodeToString(sum.Sum(nil)), n})
}

// discard counts the body.
func discard(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	abortOn(err)
	writeJSON(w, struct {
		Bytes int64 `json:"bytes"`
	}{n})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the handler's caller sees the error, too
}

// abortOn aborts the request after an error: the body broke off, or the client has left.
func abortOn(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}
