package bench_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// pythonVariable names the environment variable with the Python that has the SDK,
// gunicorn and uvicorn.
const pythonVariable = "UPLOAD_RESPONSE_PYTHON"

// pythonRoutes are those of the Python candidates, each a pool of its own.
var pythonRoutes = []server.Route{
	{Prefix: "/slots", Pool: "slots"},
	{Prefix: "/loop", Pool: "loop"},
	{Prefix: "/wsgi", Pool: "wsgi"},
	{Prefix: "/asgi", Pool: "asgi"},
}

// candidate is one who answers small requests.
type candidate struct {
	name, address, path string
	pid                 int // of its process, 0: one of ours
	rate, cpu           figures
}

// Small requests over 16 connections to one process of each kind: the handler in
// the server's process, a Go worker, Python workers, and the servers that Python
// programs are otherwise run with, which answer directly.
func BenchmarkPython(b *testing.B) {
	python := os.Getenv(pythonVariable)
	if python == "" {
		b.Skip("no ", pythonVariable, ": make bench-python")
	}
	at := start(b)
	candidates := append([]*candidate{
		{name: "in-process Go", address: at.inProcess, path: "/hello"},
		{name: "Go worker", address: at.proxy, path: "/hello"},
	}, pythonCandidates(b, python, at)...)
	for b.Loop() {
		for range rounds {
			for _, c := range candidates {
				c.measure(b)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.Log("\n" + table(candidates))
}

func pythonCandidates(b *testing.B, python string, at places) []*candidate {
	app, err := filepath.Abs("testdata")
	harness.Check(b, err)
	run := func(name, path, address string, arguments ...string) *candidate {
		command := exec.Command(python, arguments...)
		command.Dir, command.Stderr = app, os.Stderr
		command.Env = append(os.Environ(), harness.SocketVariable+"="+at.socket)
		harness.Check(b, command.Start())
		b.Cleanup(func() {
			_ = command.Process.Signal(os.Interrupt)
			_ = command.Wait()
		})
		awaitAnswer(b, address, path)
		return &candidate{name: name, address: address, path: path, pid: command.Process.Pid}
	}
	gunicorn, uvicorn := freeAddress(b), freeAddress(b)
	_, port, _ := net.SplitHostPort(uvicorn)
	module := []string{"-m", "upload_response"}
	with := func(rest ...string) []string { return append(module[:2:2], rest...) }
	return []*candidate{
		run("slot API", "/slots", at.proxy, "small.py", "slots"),
		run("slot API, event loop", "/loop", at.proxy, "small.py", "loop"),
		run("WSGI", "/wsgi", at.proxy, with("wsgi", "small:wsgi", "--pool", "wsgi")...),
		run("ASGI", "/asgi", at.proxy, with("asgi", "small:asgi", "--pool", "asgi")...),
		run("gunicorn gthread", "/", gunicorn, "-m", "gunicorn", "-k", "gthread", "--threads", "16", "--keep-alive", "60",
			"-b", gunicorn, "--log-level", "error", "small:wsgi"),
		run("uvicorn", "/", uvicorn, "-m", "uvicorn", "--port", port, "--log-level", "error", "--no-access-log", "small:asgi"),
	}
}

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(b, err)
	defer l.Close()
	return l.Addr().String()
}

// measure adds a round.
func (c *candidate) measure(b *testing.B) {
	before := processorTime(c.pid)
	rate := requests(b, c.address, c.path, 16)
	c.rate.add(rate)
	c.cpu.add(float64((processorTime(c.pid) - before).Microseconds()) / (rate * period.Seconds()))
}

// processorTime returns what a process and its children have used.
func processorTime(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	family, err := filepath.Glob("/proc/[0-9]*/stat")
	must(err)
	var ticks int64
	for _, path := range family {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		own := filepath.Base(filepath.Dir(path))
		if own == strconv.Itoa(pid) || fields[1] == strconv.Itoa(pid) {
			user, _ := strconv.ParseInt(fields[11], 10, 64)
			system, _ := strconv.ParseInt(fields[12], 10, 64)
			ticks += user + system
		}
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ
}

func table(candidates []*candidate) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\trequests/s\tto in-process Go\tits CPU, us/request")
	for _, c := range candidates {
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t", c.name, c.rate.median(), c.rate.ratio(&candidates[0].rate))
		if c.pid != 0 {
			fmt.Fprintf(w, "%.1f", c.cpu.median())
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	return text.String()
}
