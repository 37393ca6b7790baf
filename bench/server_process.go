package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// proxy is a running `upload-response serve`.
type proxy struct {
	*process
	addresses
	socket   string
	attached chan struct{} // gets a value for each worker that attaches
	heap     *allocationCounter
}

// startProxy starts the server with a route and a pool for each name. Release: stop.
func (o *Options) startProxy(dir string, pools []string, flags ...string) (*proxy, error) {
	p := &proxy{socket: filepath.Join(dir, "w.sock"), attached: make(chan struct{}, 4096), heap: newAllocationCounter()}
	argv := append(append([]string(nil), o.Self...), "serve", "--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0",
		"--tls-self-signed", "--socket", p.socket, "--log-format", "json")
	for _, pool := range pools {
		argv = append(argv, "--route", "/"+pool+"="+pool)
	}
	argv = append(append(argv, flags...), o.ServeFlags...)
	ready := make(chan addresses, 1)
	process, err := start("server", argv)
	if err != nil {
		return nil, err
	}
	p.process, p.heap.process = process, process
	p.errors.look(func(line string) {
		if a, ok := parseReady(line); ok {
			ready <- a
		}
		if strings.Contains(line, `"msg":"link attached"`) {
			p.attached <- struct{}{}
		}
		p.heap.look(line)
	})
	select {
	case p.addresses = <-ready:
		return p, nil
	case <-time.After(patience):
		p.stop()
		return nil, p.failure(fmt.Errorf("not ready within %v", patience))
	}
}

// awaitLinks waits until so many workers are attached.
func (p *proxy) awaitLinks(n int) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for range n {
		select {
		case <-p.attached:
		case <-timer.C:
			return p.failure(fmt.Errorf("no %s within %v", plural(n, "worker"), patience))
		}
	}
	return nil
}

// parseReady reads where the server listens from its log.
func parseReady(line string) (a addresses, ok bool) {
	var entry struct{ Msg, Listen string }
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "ready" {
		return a, false
	}
	for _, address := range strings.Fields(entry.Listen) {
		if secure, found := strings.CutPrefix(address, "https://"); found {
			a.Secure = secure
		} else {
			a.Clear = address
		}
	}
	return a, a.Clear != "" && a.Secure != ""
}

// workFolder makes a folder for what a run needs, with a path short enough for a
// socket. Release: os.RemoveAll.
func workFolder() (string, error) { return os.MkdirTemp("", "ur-bench") }
