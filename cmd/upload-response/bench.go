package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
)

// benchmark is one that `bench` can run.
type benchmark struct {
	name    string
	summary string
	run     func(context.Context, bench.Options) (*report.Report, error)
	what    []string // options of its own
	how     []string
}

func benchmarks() []benchmark {
	return []benchmark{
		{"ring", "the shared memory alone, beside copies of memory and bare futexes", bench.Ring, []string{"ring-cases", "readers"}, []string{"size", "time"}},
		{"http", "exchanges with workers, beside raw TCP and the handler alone", bench.HTTP,
			[]string{"protocols", "workers", "cases", "connections", "target", "peer"}, []string{"size", "time", "processes", "syscalls", "c-worker", "python", "serve-flag"}},
		{"memory", "the memory of a server with idle streams, beside the handler alone", bench.Memory,
			[]string{"protocols", "streams"}, []string{"serve-flag"}},
		{"all", "all of these, one after the other", bench.All,
			[]string{"protocols", "workers", "connections", "streams", "readers", "peer"}, []string{"size", "time", "processes", "c-worker", "python"}},
	}
}

func benchmarkNames() string {
	var names []string
	for _, b := range benchmarks() {
		names = append(names, b.name)
	}
	return oneOf(names)
}

// benchSettings is what the command line of a benchmark says.
type benchSettings struct {
	options bench.Options
	quick   bool
	// Files; - is the standard output.
	json, plot, markdown, compare string
}

const benchNotes = `
Candidates are measured in turns, --rounds times; a figure is the median of its rounds, with
the least and the most. Ratios are medians of those within each round. The load is a closed
loop: every connection sends its next request when the last is answered.
`

const targetNotes = `
TARGET is NAME=URL, as in nginx=http://127.0.0.1:8081: another server that serves the same
paths, measured in the same rounds. https:// is tls and h2; tls://, h2c://, h2:// and h3:// are one
protocol; unix:PATH is a Unix socket. ",pid=N" at the end, and ",worker=N", which can be repeated,
name processes whose CPU time is measured.
`

// flags returns the flags of a benchmark, with s set to what it is without them.
func (s *benchSettings) flags(b *benchmark) *flagSet {
	s.options = bench.DefaultOptions()
	if b.name == "memory" {
		s.options.Protocols = []string{load.H1, load.H2C}
	}
	f := &flagSet{command: "upload-response bench " + b.name, summary: "measures " + b.summary, notes: benchNotes}
	if b.what != nil {
		f.groups = append(f.groups, optionGroup{"What to measure", choose(s.what(), b.what)})
	}
	if slices.Contains(b.what, "target") {
		f.notes += targetNotes
	}
	f.groups = append(f.groups, optionGroup{"How", append(s.how(), choose(s.special(), b.how)...)}, optionGroup{"What to show", s.shown()})
	return f
}

// choose returns the options with these names.
func choose(all []option, names []string) (list []option) {
	for _, o := range all {
		if slices.Contains(names, o.name) {
			o.name = strings.TrimPrefix(o.name, "ring-")
			list = append(list, o)
		}
	}
	return list
}

func (s *benchSettings) what() []option {
	o := &s.options
	return []option{
		{name: "protocols", arg: "LIST", help: "versions of HTTP, of " + strings.Join(bench.AllProtocols, ","), value: strings.Join(o.Protocols, ","), parse: some(&o.Protocols, bench.AllProtocols)},
		{name: "workers", arg: "LIST", help: "workers; none: only the limits and the targets", value: strings.Join(o.Workers, ","), parse: some(&o.Workers, append([]string{"none"}, bench.AllWorkers...))},
		{name: "cases", arg: "LIST", help: "what is done", value: strings.Join(o.Cases, ","), parse: some(&o.Cases, bench.AllCases)},
		{name: "ring-cases", arg: "LIST", help: "of " + strings.Join(bench.AllRingCases, ","), value: "all", parse: some(&o.RingCases, bench.AllRingCases)},
		{name: "readers", arg: "LIST", help: "processes that read", value: joinNumbers(o.Readers), parse: numbers(&o.Readers, 1, 1000)},
		{name: "connections", arg: "LIST", help: "for small requests", value: joinNumbers(o.Connections), parse: numbers(&o.Connections, 1, 4096)},
		{name: "streams", arg: "LIST", help: "that are idle", value: joinNumbers(o.Idle), parse: numbers(&o.Idle, 0, 16000)},
		{name: "target", arg: "TARGET", help: "another server, too; repeat", parse: benchTarget(&o.Targets)},
		{name: "peer", arg: "PATH", help: "a program that starts other servers, as those in bench/peers; repeat", parse: added(&o.Peers)},
	}
}

func (s *benchSettings) how() []option {
	o := &s.options
	return []option{
		{name: "quick", help: "3 rounds, short and small", value: "false", parse: toggle(&s.quick)},
		{name: "rounds", arg: "N", help: "how often each is measured", value: strconv.Itoa(o.Rounds), parse: number(&o.Rounds, 1, 1, 1000)},
	}
}

func (s *benchSettings) special() []option {
	o := &s.options
	return []option{
		{name: "size", arg: "SIZE", help: "bytes that are moved", value: formatSize(uint64(o.Size)), parse: size(&o.Size, 1, 1, math.MaxInt64)},
		{name: "time", arg: "TIME", help: "of a round of small requests or round trips", value: o.Period.String(), parse: duration(&o.Period, time.Millisecond)},
		{name: "processes", arg: "N", help: "of each worker, and each peer in Python", value: strconv.Itoa(o.Processes), parse: number(&o.Processes, 1, 1, 64)},
		{name: "syscalls", help: "count system calls and wake-ups, too, for each request or GB; needs perf, and root", value: "false", parse: toggle(&o.Syscalls)},
		{name: "c-worker", arg: "PATH", help: "the C worker, in the place of one that is built", parse: text(&o.CWorker)},
		{name: "python", arg: "PATH", help: "the interpreter; the SDK is its own, or that of the repository", value: o.Python, parse: text(&o.Python)},
		{name: "serve-flag", arg: "FLAG", help: "for the server, as in --serve-flag=--slot-size=16KiB; repeat", parse: added(&o.ServeFlags)},
	}
}

func (s *benchSettings) shown() []option {
	return []option{
		{name: "json", arg: "PATH", help: "write the figures there, too; -: instead of the tables", parse: text(&s.json)},
		{name: "plot", arg: "PATH.svg", help: "draw speed by the size of a slot, and rate and latency by the connections", parse: text(&s.plot)},
		{name: "markdown", arg: "PATH.md", help: "write a page, and what it shows beside it", parse: text(&s.markdown)},
		{name: "compare", arg: "PATH", help: "show what has changed since that file of --json", parse: text(&s.compare)},
	}
}

// bench measures what args name.
func (p *program) bench(args []string) error {
	const self = "upload-response bench"
	if len(args) == 0 {
		return &usageError{self, errors.New("which benchmark? Want " + benchmarkNames())}
	}
	for _, b := range benchmarks() {
		if b.name == args[0] {
			return p.runBench(&b, args[1:])
		}
	}
	switch {
	case args[0] == bench.RoleCommand:
		return bench.Role(args[1:])
	case args[0] == "show":
		return p.benchShow(args[1:])
	case !slices.Contains([]string{"--help", "-help", "-h"}, args[0]):
		return &usageError{self, fmt.Errorf("unknown benchmark %q: want %s", args[0], benchmarkNames())}
	}
	fmt.Fprintf(p.stdout, "%s: measures speed, beside the limits of the machine.\n\nUsage: %s NAME [flags]\n\n", self, self)
	for _, b := range benchmarks() {
		fmt.Fprintf(p.stdout, "  %-8s %s\n", b.name, b.summary)
	}
	fmt.Fprintf(p.stdout, "  %-8s %s\n\n'%s NAME --help' lists the flags.\n", "show", "no measurement: what --json has written", self)
	return nil
}

func (p *program) runBench(b *benchmark, args []string) error {
	var s benchSettings
	flags := s.flags(b)
	if err := flags.parse(args, p.getenv); errors.Is(err, errHelp) {
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	if err := s.complete(flags.given); err != nil {
		return flags.usage(err)
	}
	s.options.Progress = p.stderr
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	r, failed := b.run(ctx, s.options)
	if errors.Is(failed, context.Canceled) {
		failed = errors.New("interrupted")
	}
	if r == nil || failed != nil && len(r.Tables) == 0 {
		return failed
	}
	if failed != nil {
		r.Skip("the rest", failed.Error())
	}
	r.Commands = []string{strings.Join(append([]string{"upload-response bench", b.name}, args...), " ")}
	return errors.Join(failed, p.show(&s, r))
}

// benchShow shows reports that were written before.
func (p *program) benchShow(args []string) error {
	var s benchSettings
	var from []string
	flags := &flagSet{command: "upload-response bench show", summary: "shows what --json has written", groups: []optionGroup{
		{"What to show", append([]option{{name: "from", arg: "PATH", help: "a file of --json; repeat to make one report of several", parse: added(&from), split: words}}, s.shown()...)},
	}}
	if err := flags.parse(args, p.getenv); errors.Is(err, errHelp) {
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	if len(from) == 0 {
		return flags.usage(errors.New("--from: which file?"))
	}
	r, err := report.LoadAll(from)
	if err != nil {
		return err
	}
	return p.show(&s, r)
}

// complete fills in what depends on other settings.
func (s *benchSettings) complete(given map[string]string) error {
	o := &s.options
	if s.quick {
		asked := *o
		o.Hurry()
		for name, keep := range map[string]func(){
			"rounds": func() { o.Rounds = asked.Rounds }, "size": func() { o.Size = asked.Size }, "time": func() { o.Period = asked.Period },
		} {
			if given[name] != "" {
				keep()
			}
		}
	}
	if slices.Contains(o.Workers, "none") {
		o.Workers = nil
	}
	self, err := os.Executable()
	o.Self = []string{self}
	return err
}
