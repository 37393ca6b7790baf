//go:build acme

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// freePort returns an address that nobody listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// startTool builds a tool of pebble's and runs it until the end of the test.
func startTool(t *testing.T, folder, name string, env []string, args ...string) {
	t.Helper()
	install := exec.Command("go", "install", "github.com/letsencrypt/pebble/v2/cmd/"+name+"@v2.10.1")
	install.Env = append(os.Environ(), "GOBIN="+folder, "CGO_ENABLED=0")
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("%s cannot be built here: %v\n%s", name, err, out)
	}
	var log output
	command := exec.Command(filepath.Join(folder, name), args...)
	command.Env, command.Stdout, command.Stderr = append(os.Environ(), env...), &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s printed\n%s", name, log.String())
		}
	})
}

// fetch gets a page of pebble's.
func fetch(url string, roots *x509.CertPool) ([]byte, error) {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots},
		DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func TestCertificateComesFromAnAuthority(t *testing.T) {
	folder := t.TempDir()
	cert, key, leaf := writeSelfSigned(t)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	ours, dns, directory, management := freePort(t), freePort(t), freePort(t), freePort(t)
	_, port, _ := net.SplitHostPort(ours)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": directory, "managementListenAddress": management, "certificate": cert, "privateKey": key,
		"httpPort": 1, "tlsPort": json.Number(port),
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	startTool(t, folder, "pebble-challtestsrv", nil, "-dnsserver", dns, "-defaultIPv6", "",
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", freePort(t))
	startTool(t, folder, "pebble", []string{"PEBBLE_VA_NOSLEEP=1"}, "-config", file, "-dnsserver", dns)
	eventually(t, "the authority to listen", func() bool {
		_, err := fetch("https://"+directory+"/dir", roots)
		return err == nil
	})

	t.Setenv("SSL_CERT_FILE", cert)
	p := startProcess(t, "serve", "--listen", "https://"+ours, "--acme-domain", "www.example.test",
		"--acme-email", "me@example.test", "--acme-directory", "https://"+directory+"/dir",
		"--acme-store", filepath.Join(folder, "store"), "--socket", filepath.Join(folder, "s"))
	p.found(`msg="certificate obtained" host=www.example.test`)
	issuer, err := fetch("https://"+management+"/roots/0", roots)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(issuer)
	conn, err := tls.Dial("tcp", ours, &tls.Config{RootCAs: trusted, ServerName: "www.example.test",
		NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("the connection speaks %q", got)
	}
	_ = conn.Close()
	if conn, err := tls.Dial("tcp", ours, &tls.Config{InsecureSkipVerify: true,
		ServerName: "other.example.test"}); err == nil {
		t.Error("there is a certificate for another host")
		_ = conn.Close()
	}
}
