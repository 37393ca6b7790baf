package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"

	"github.com/spf13/cobra"
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
		Example: "# For all paths of a server without other workers\n" + self + " worker " + kind + " --pool default",
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

// workerCommand returns the command that runs a built-in worker.
func (p *program) workerCommand() *cobra.Command {
	var list []*cobra.Command
	for _, b := range builtins {
		var s workerSettings
		list = append(list, cli.NewCommand(s.flags(b.name, b.summary, p.getenv), p.getenv,
			func([]string) error { return p.runWorker(&s, b.handler) }))
	}
	return cli.NewGroup(&cli.FlagSet{
		Command: "upload-response worker", Summary: "runs a worker that comes with the program", Example: workerExample,
	}, "worker", list...)
}

const workerExample = `
# A server that starts the worker
upload-response serve --worker 'default=upload-response worker digest'

# A worker that is started by hand, for all paths of a server without other workers
upload-response worker digest --pool default
`

// runWorker serves until SIGTERM, SIGINT or SIGQUIT, and then finishes the running requests.
// A second signal ends the process.
func (p *program) runWorker(s *workerSettings, handler http.Handler) error {
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
