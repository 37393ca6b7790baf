//go:build peers

package hostile_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// peer is another proxy, as Debian ships it and with its defaults, before a plain
// server.
type peer struct {
	name    string
	program string
	version *regexp.Regexp // in what it says of itself with -v
	config  string         // where a request comes in, where it goes, and a folder
	run     func(config string) []string
}

func peers() []peer {
	return []peer{
		{
			name: "nginx", program: "nginx", version: regexp.MustCompile(`nginx/(\S+)`),
			config: `daemon off; master_process off; worker_processes 1; pid %[3]s/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/f;
  uwsgi_temp_path %[3]s/u; scgi_temp_path %[3]s/s;
  client_header_timeout 5s; client_body_timeout 5s; keepalive_timeout 5s;
  server { listen %[1]s; location / { proxy_pass http://%[2]s; proxy_http_version 1.1; } }
}
`,
			run: func(config string) []string { return []string{"-e", "stderr", "-c", config} },
		},
		{
			name: "HAProxy", program: "haproxy", version: regexp.MustCompile(`version (\d+\.\d+\.\d+)`),
			config: `defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 30s
frontend in
  bind %[1]s
  default_backend out
backend out
  server plain %[2]s
# %[3]s
`,
			run: func(config string) []string { return []string{"-db", "-f", config} },
		},
	}
}

// start starts the peer and returns where requests come in.
func (p *peer) start(t *testing.T, backend string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	addr = listener.Addr().String()
	harness.Check(t, listener.Close())
	folder := t.TempDir()
	config := filepath.Join(folder, "config")
	harness.Check(t, os.WriteFile(config, fmt.Appendf(nil, p.config, addr, backend, folder), 0o600))
	harness.StartProgram(t, io.Discard, append([]string{p.path(t)}, p.run(config)...))
	harness.Eventually(t, p.name+" to listen", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return addr
}

func (p *peer) path(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(p.program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + p.program)
	}
	harness.Check(t, err)
	return path
}

// accounts sends all rows to the peer and returns what came of each.
func (p *peer) accounts(t *testing.T, rows []row) []account {
	t.Helper()
	var mu sync.Mutex
	var seen []sighting
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	plain := &http.Server{MaxHeaderBytes: 4 << 20, Handler: witness(func(s sighting) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s)
	})}
	go func() { _ = plain.Serve(backend) }()
	addr := p.start(t, backend.Addr().String())
	heard := sendAll(t, func(t testing.TB) net.Conn {
		conn, err := net.Dial("tcp", addr)
		harness.Check(t, err)
		return conn
	}, rows, plainly)
	harness.Check(t, plain.Close())
	mu.Lock()
	defer mu.Unlock()
	list := make([]account, len(rows))
	for i := range rows {
		list[i] = accountOf(name(i), heard[i], seen)
	}
	return list
}

// TestWhereOthersDifferIsWrittenDown writes docs/http-conformance.md.
func TestWhereOthersDifferIsWrittenDown(t *testing.T) {
	rows := rows()
	page := conformancePage{rows: rows}
	for _, p := range peers() {
		page.add(p.name, p.said(t), p.accounts(t, rows))
	}
	for i := range rows {
		page.check(t, i)
	}
	if !t.Failed() {
		harness.Check(t, os.WriteFile(conformancePath, page.text(), 0o644))
	}
}

// said returns the peer's version.
func (p *peer) said(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(p.path(t), "-v").CombinedOutput()
	harness.Check(t, err)
	if found := p.version.FindSubmatch(out); found != nil {
		return string(found[1])
	}
	t.Fatalf("no version in %q", out)
	return ""
}
