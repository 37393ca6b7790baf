package bench

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// installTime is how long a peer may take to be installed and ready.
const installTime = 15 * time.Minute

// openPeers starts other servers, and returns where they are. Those that do not start
// are not measured.
func (f *field) openPeers() (targets []Target) {
	for _, program := range f.options.Peers {
		name := strings.TrimSuffix(filepath.Base(program), filepath.Ext(program))
		f.options.progress("peer %s: installing and starting", name)
		found, err := f.openPeer(name, program)
		if err != nil {
			f.report.Skip("peers: "+name, firstLine(err))
		}
		targets = append(targets, found...)
	}
	f.options.progress("")
	return targets
}

// openPeer starts a program that prints a target a line, and "ready", as
// peers/README.md says.
func (f *field) openPeer(name, program string) ([]Target, error) {
	dir := filepath.Join(f.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeApp(dir); err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	p, err := startGroup(name, []string{path},
		"BENCH_PROGRAM="+f.options.Self[0], "BENCH_DIR="+dir, "BENCH_PORTS="+strings.Join(ports, " "),
		"BENCH_PYTHON="+f.options.Python, "BENCH_PROCESSES="+strconv.Itoa(f.options.Processes))
	if err != nil {
		return nil, err
	}
	f.processes = append(f.processes, p)
	timer := time.AfterFunc(installTime, p.stop)
	defer timer.Stop()
	return p.targets()
}

// targets reads where a peer is.
func (p *process) targets() (list []Target, err error) {
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return nil, p.failure(err)
		}
		if line = strings.TrimSpace(line); line == "ready" {
			return list, nil
		}
		t, err := ParseTarget(line)
		if err != nil {
			return nil, fmt.Errorf("%s printed %q: %w", p.name, line, err)
		}
		list = append(list, t)
	}
}

// freePorts returns ports that were free a moment ago: not every program can choose one
// itself and say which.
func freePorts(n int) (list []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		list = append(list, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return list, nil
}
