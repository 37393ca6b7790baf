package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/exchange"
	"github.com/wavey-ai/upload-response/bench/idle"
	"github.com/wavey-ai/upload-response/bench/ring"
	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
)

// settings is what the command line of a benchmark says.
type settings struct {
	common bench.Options // of all three
	ring   ring.Options
	http   exchange.Options
	idle   idle.Options
	quick  bool
	output output
}

func defaultSettings() settings {
	s := settings{common: bench.DefaultOptions(), ring: ring.DefaultOptions(), http: exchange.DefaultOptions(),
		idle: idle.DefaultOptions()}
	s.common.Program = server.Name + " " + server.Version
	return s
}

const notes = `
Candidates are measured in turns, --rounds times; a figure is the median of its rounds, with
the least and the most. Ratios are medians of those within each round. The load is a closed
loop: every connection sends its next request when the last is answered.
`

const targetNotes = `
TARGET is NAME=URL, as in nginx=http://127.0.0.1:8081: another server that serves the same
paths, measured in the same rounds. https:// is tls and h2; tls://, h2c://, h2:// and h3:// are one
protocol; unix:PATH is a Unix socket. ",pid=N" at the end, and ",worker=N", which can be repeated,
name processes whose CPU time is measured. 'upload-response-bench role worker --socket PATH
--pool NAME' is the worker, for a server that is started by hand.
`

// flags returns the flags of a benchmark, with s set to the defaults.
func (s *settings) flags(b *benchmark) *cli.FlagSet {
	*s = defaultSettings()
	f := &cli.FlagSet{Command: self + " " + b.name, Summary: "measures " + b.summary, Example: b.example, Notes: notes}
	f.Groups = append(f.Groups, cli.Group{Heading: "What to measure", Options: choose(s.what(), b.what)})
	if slices.Contains(b.what, "target") {
		f.Notes += targetNotes
	}
	f.Groups = append(f.Groups,
		cli.Group{Heading: "How", Options: append(s.rounds(), choose(s.how(), b.how)...)},
		cli.Group{Heading: "What to show", Options: s.output.options()})
	return f
}

// choose returns the options with these names. A prefix tells options with the same name
// of different benchmarks apart.
func choose(all []cli.Option, names []string) (list []cli.Option) {
	for _, o := range all {
		if slices.Contains(names, o.Name) {
			o.Name = strings.TrimPrefix(strings.TrimPrefix(o.Name, "ring-"), "memory-")
			list = append(list, o)
		}
	}
	return list
}

func (s *settings) what() []cli.Option {
	h, r, i := &s.http, &s.ring, &s.idle
	workers := append([]string{"none"}, exchange.AllWorkers...)
	return []cli.Option{
		{
			Name: "protocols", Arg: "LIST", Help: "versions of HTTP, of " + strings.Join(exchange.AllProtocols, ","),
			Default: strings.Join(h.Protocols, ","), Parse: some(&h.Protocols, exchange.AllProtocols),
		},
		{
			Name: "memory-protocols", Arg: "LIST", Help: "versions of HTTP, of " + strings.Join(idle.AllProtocols, ","),
			Default: strings.Join(i.Protocols, ","), Parse: some(&i.Protocols, idle.AllProtocols),
		},
		{
			Name: "workers", Arg: "LIST", Help: "kinds of workers; none: only the limits and the targets",
			Default: strings.Join(h.Workers, ","), Parse: some(&h.Workers, workers),
		},
		{
			Name: "cases", Arg: "LIST", Help: "kinds of requests",
			Default: strings.Join(h.Cases, ","), Parse: some(&h.Cases, exchange.AllCases),
		},
		{
			Name: "ring-cases", Arg: "LIST", Help: "of " + strings.Join(ring.AllCases, ","),
			Default: "all", Parse: some(&r.Cases, ring.AllCases),
		},
		{
			Name: "readers", Arg: "LIST", Help: "numbers of processes that read",
			Default: joinNumbers(r.Readers), Parse: numbers(&r.Readers, 1, 1000),
		},
		{
			Name: "connections", Arg: "LIST", Help: "numbers of connections for small requests",
			Default: joinNumbers(h.Connections), Parse: numbers(&h.Connections, 1, 4096),
		},
		{
			Name: "streams", Arg: "LIST", Help: "numbers of idle streams",
			Default: joinNumbers(i.Streams), Parse: numbers(&i.Streams, 0, 16000),
		},
		{Name: "target", Arg: "TARGET", Help: "measure another server, too; repeat", Parse: target(&h.Targets)},
		{
			Name: "peer", Arg: "PATH", Help: "a program that starts other servers, as those in bench/peers; repeat",
			Parse: added(&h.Peers),
		},
	}
}

func (s *settings) rounds() []cli.Option {
	o := &s.common
	return []cli.Option{
		{Name: "quick", Help: "3 rounds, short and small", Default: "false", Parse: cli.Toggle(&s.quick)},
		{
			Name: "rounds", Arg: "N", Help: "how often each candidate is measured",
			Default: strconv.Itoa(o.Rounds), Parse: cli.Number(&o.Rounds, 1, 1, 1000),
		},
	}
}

func (s *settings) how() []cli.Option {
	o, h := &s.common, &s.http
	return []cli.Option{
		{
			Name: "size", Arg: "SIZE", Help: "bytes of an upload, download or echo",
			Default: cli.FormatSize(uint64(o.Size)), Parse: cli.Size(&o.Size, 1, 1, math.MaxInt64),
		},
		{
			Name: "time", Arg: "TIME", Help: "length of a round of small requests or round trips",
			Default: o.Period.String(), Parse: cli.Duration(&o.Period, time.Millisecond),
		},
		{
			Name: "processes", Arg: "N", Help: "processes of each worker, and of each peer in Python",
			Default: strconv.Itoa(h.Processes), Parse: cli.Number(&h.Processes, 1, 1, 64),
		},
		{
			Name:    "syscalls",
			Help:    "also count system calls and wake-ups, for each request or GB; needs perf, and root",
			Default: "false", Parse: cli.Toggle(&h.Syscalls),
		},
		{Name: "c-worker", Arg: "PATH", Help: "the C worker; without it one is built", Parse: cli.Text(&h.CWorker)},
		{
			Name: "python", Arg: "PATH", Help: "interpreter; without the SDK in it, that of the repository is used",
			Default: h.Python, Parse: cli.Text(&h.Python),
		},
		{
			Name: "server", Arg: "PATH", Help: "the program upload-response that is measured",
			Default: "beside this program, or in PATH", Parse: cli.Text(&h.Server),
		},
		{
			Name: "serve-flag", Arg: "FLAG", Help: "for the server, as in --serve-flag=--slot-size=16KiB; repeat",
			Parse: added(&h.ServerFlags),
		},
	}
}

// complete fills in what depends on other settings.
func (s *settings) complete(b *benchmark, given func(option string) bool) (err error) {
	if s.quick {
		s.hurry(given)
	}
	if slices.Contains(s.http.Workers, "none") {
		s.http.Workers = nil
	}
	needsServer := slices.Contains(b.how, "server") && (b.name != "http" || len(s.http.Workers) > 0)
	if needsServer && s.http.Server == "" {
		s.http.Server, err = findServer()
	}
	return err
}

// hurry lowers what takes long, apart from what is given.
func (s *settings) hurry(given func(option string) bool) {
	asked, o := s.common, &s.common
	o.Hurry()
	if given("rounds") {
		o.Rounds = asked.Rounds
	}
	if given("size") {
		o.Size = asked.Size
	}
	if given("time") {
		o.Period = asked.Period
	}
}

// findServer looks for the program upload-response beside this one, and then in PATH.
func findServer() (string, error) {
	const name = "upload-response"
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor in PATH: say where with --server", name)
	}
	return path, nil
}
