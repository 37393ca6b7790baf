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

// process is a candidate whose processor time is measured, too.
type process struct {
	candidate
	pid       int // 0: not measured
	rate, cpu figures
}

// Small requests over 16 connections to one process of each kind: the handler in
// the server's process, Go, C and Python workers, and the servers that Python
// programs are otherwise run with, which answer directly.
func BenchmarkPython(b *testing.B) {
	python := os.Getenv(pythonVariable)
	if python == "" {
		b.Skip("no ", pythonVariable, ": make bench-python")
	}
	socket := b.TempDir() + "/w.sock"
	var list []*process
	for _, c := range startAt(b, socket, "") {
		list = append(list, &process{candidate: c})
	}
	list = append(list, startPython(b, python, socket, list[1].address)...)
	for b.Loop() {
		for range rounds {
			for _, p := range list {
				p.measure(b)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	fmt.Print(table(list))
}

// startPython starts the Python candidates; proxy is where the server listens.
func startPython(b *testing.B, python, socket, proxy string) []*process {
	folder, err := filepath.Abs("testdata")
	harness.Check(b, err)
	run := func(name, address, prefix string, arguments ...string) *process {
		command := exec.Command(python, arguments...)
		command.Dir, command.Stderr = folder, os.Stderr
		command.Env = append(os.Environ(), harness.SocketVariable+"="+socket)
		harness.Check(b, command.Start())
		b.Cleanup(func() {
			_ = command.Process.Signal(os.Interrupt)
			_ = command.Wait()
		})
		p := &process{candidate: candidate{name, address, prefix}, pid: command.Process.Pid}
		awaitWorker(b, p.candidate)
		return p
	}
	gunicorn, uvicorn := freeAddress(b), freeAddress(b)
	_, port, err := net.SplitHostPort(uvicorn)
	harness.Check(b, err)
	return []*process{
		run("python", proxy, "/slots", "small.py", "slots"),
		run("python, event loop", proxy, "/loop", "small.py", "loop"),
		run("wsgi", proxy, "/wsgi", "-m", "upload_response", "wsgi", "small:wsgi", "--pool", "wsgi"),
		run("asgi", proxy, "/asgi", "-m", "upload_response", "asgi", "small:asgi", "--pool", "asgi"),
		run("gunicorn", gunicorn, "", "-m", "gunicorn", "-k", "gthread", "--threads", "16", "--keep-alive", "60",
			"-b", gunicorn, "--log-level", "error", "small:wsgi"),
		run("uvicorn", uvicorn, "", "-m", "uvicorn", "--port", port, "--log-level", "error", "--no-access-log", "small:asgi"),
	}
}

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(b, err)
	defer l.Close()
	return l.Addr().String()
}

// measure adds a round.
func (p *process) measure(b *testing.B) {
	before := processorTime(p.pid)
	rate := requests(b, p.candidate, 16)
	p.rate.add(rate)
	p.cpu.add(float64((processorTime(p.pid) - before).Microseconds()) / (rate * period.Seconds()))
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

// table shows the medians; the first of the list is the limit.
func table(list []*process) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nsmall requests\ta second\tto %s\tits own processor time, us each\n", list[0].name)
	for _, p := range list {
		cpu := "-"
		if p.pid != 0 {
			cpu = fmt.Sprintf("%.1f", p.cpu.median())
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%s\n", p.name, p.rate.median(), p.rate.ratio(&list[0].rate), cpu)
	}
	_ = w.Flush()
	return text.String()
}
