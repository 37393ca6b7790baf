// Package peers starts other servers beside which ours is measured.
package peers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/bench/python"
	"github.com/wavey-ai/upload-response/bench/role"
)

// installTime is how long a peer may take to be installed and ready.
const installTime = 15 * time.Minute

// Peer is a program that starts another server, as README.md describes.
type Peer struct {
	Program   string
	Python    string // interpreter
	Processes int    // that run the application
}

// Name returns the name of the peer.
func (p *Peer) Name() string {
	return strings.TrimSuffix(filepath.Base(p.Program), filepath.Ext(p.Program))
}

// Start starts the peer, which keeps its files in a new folder below dir, and returns
// where it serves. Release: Stop of the process, if there is one.
func (p *Peer) Start(dir string) (*role.Process, []Target, error) {
	environment, err := p.prepare(filepath.Join(dir, p.Name()))
	if err != nil {
		return nil, nil, err
	}
	path, err := filepath.Abs(p.Program)
	if err != nil {
		return nil, nil, err
	}
	process, err := role.StartGroup(p.Name(), []string{path}, environment...)
	if err != nil {
		return nil, nil, err
	}
	timer := time.AfterFunc(installTime, process.Stop)
	defer timer.Stop()
	targets, err := readTargets(process)
	return process, targets, err
}

// prepare makes the folder of the peer, and returns the environment of the program.
func (p *Peer) prepare(dir string) ([]string, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := python.WriteApp(dir); err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	return []string{
		"BENCH_PROGRAM=" + self, "BENCH_DIR=" + dir, "BENCH_PORTS=" + strings.Join(ports, " "),
		"BENCH_PYTHON=" + p.Python, "BENCH_PROCESSES=" + strconv.Itoa(p.Processes),
	}, err
}

// readTargets reads where a peer serves, until it says "ready".
func readTargets(p *role.Process) (list []Target, err error) {
	for {
		line, err := p.ReadLine()
		if err != nil {
			return nil, err
		}
		if line == "ready" {
			return list, nil
		}
		t, err := ParseTarget(line)
		if err != nil {
			return nil, fmt.Errorf("printed %q: %w", line, err)
		}
		list = append(list, t)
	}
}

// freePorts returns ports that were free a moment ago: not every program can choose a
// port itself and say which.
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
