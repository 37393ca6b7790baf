package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

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
	return oneOf(names)
}

// workerSettings is what the command line of a built-in worker says.
type workerSettings struct {
	socket, pool, name string
	lanes              int
	logging            logging
}

func (s *workerSettings) flags(kind, summary string, getenv func(string) string) *flagSet {
	*s = workerSettings{socket: attach.DefaultSocket(getenv), pool: kind, name: kind + "-" + strconv.Itoa(os.Getpid()), lanes: 64}
	return &flagSet{
		command: "upload-response worker " + kind,
		summary: "a worker that " + summary,
		groups: []optionGroup{{"Worker", []option{
			{name: "socket", arg: "PATH", help: "where the server is", value: s.socket, parse: socketPath(&s.socket)},
			{name: "pool", arg: "POOL", help: "pool to serve", value: s.pool, parse: poolName(&s.pool)},
			{name: "lanes", arg: "N", help: "requests served at once", value: strconv.Itoa(s.lanes), parse: number(&s.lanes, 1, 1, attach.MaxLanes)},
			{name: "name", arg: "NAME", help: "name in the server's logs", value: kind + "-PID", parse: text(&s.name)},
		}}, s.logging.options()},
	}
}

// worker runs the built-in worker that args name.
func (p *program) worker(args []string) error {
	const self = "upload-response worker"
	if len(args) == 0 {
		return &usageError{self, errors.New("which worker? Want " + builtinNames())}
	}
	for _, b := range builtins {
		if b.name == args[0] {
			return p.runWorker(b.name, b.summary, b.handler, args[1:])
		}
	}
	if !slices.Contains([]string{"--help", "-help", "-h"}, args[0]) {
		return &usageError{self, fmt.Errorf("unknown worker %q: want %s", args[0], builtinNames())}
	}
	fmt.Fprintf(p.stdout, "%s: a worker that comes with the program.\n\nUsage: %s NAME [flags]\n\n", self, self)
	for _, b := range builtins {
		fmt.Fprintf(p.stdout, "  %-8s %s\n", b.name, b.summary)
	}
	fmt.Fprintf(p.stdout, "\n'%s NAME --help' lists the flags.\n", self)
	return nil
}

// runWorker serves until SIGTERM, SIGINT or SIGQUIT, and then finishes what is running.
// A second one ends the process.
func (p *program) runWorker(kind, summary string, handler http.Handler, args []string) error {
	var s workerSettings
	flags := s.flags(kind, summary, p.getenv)
	if err := flags.parse(args, p.getenv); errors.Is(err, errHelp) {
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	p.outlive()
	log := s.logging.logger(p.stderr, s.logging.level)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	context.AfterFunc(ctx, stop)
	disregard(log, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	return worker.Serve(ctx, s.socket, handler, worker.WithPool(s.pool), worker.WithName(s.name), worker.WithLanes(s.lanes), worker.WithLog(log))
}

// disregard keeps signals from ending the process, and says so when one comes.
func disregard(log *slog.Logger, signals ...os.Signal) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, signals...)
	go func() {
		for s := range received {
			log.Info("nothing to do", "signal", s)
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
	_, err := io.Copy(prompt{w, http.NewResponseController(w)}, r.Body)
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

// prompt sends every write at once.
type prompt struct {
	w          io.Writer
	controller *http.ResponseController
}

// Write writes and flushes.
func (p prompt) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	return n, errors.Join(err, p.controller.Flush())
}

// digest hashes the body where it lies in shared memory.
func digest(w http.ResponseWriter, r *http.Request) {
	var sum hash.Hash = sha256.New()
	n, err := io.Copy(sum, r.Body)
	abortOn(err)
	answer(w, struct {
		SHA256 string `json:"sha256"`
		Bytes  int64  `json:"bytes"`
	}{hex.EncodeToString(sum.Sum(nil)), n})
}

// discard counts the body.
func discard(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	abortOn(err)
	answer(w, struct {
		Bytes int64 `json:"bytes"`
	}{n})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the writer remembers its error and so does who called us
}

// abortOn gives the request up after an error: its body broke off, or nobody
// waits for the answer any more.
func abortOn(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}
