package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/tlscert"
)

func TestSelfSignedCertificateIsTheOneInTheLog(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "demo", "--listen", "https://127.0.0.1:0", "--tls-self-signed", "--socket",
		filepath.Join(t.TempDir(), "s"))
	url := p.foundIn(&p.out, `curl -k -T big.file (https://127.0.0.1:\d+)/digest`)
	fingerprint := p.found(`msg="certificate made" sha256=([0-9A-F:]{95}) `)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	shown := conn.ConnectionState().PeerCertificates[0]
	if got := tlscert.Fingerprint(&tls.Certificate{Certificate: [][]byte{shown.Raw}}); got != fingerprint {
		t.Errorf("the server shows %s and logs %s", got, fingerprint)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := shown.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

// writeSelfSigned writes a certificate and its key, and returns the file names.
func writeSelfSigned(t *testing.T) (cert, key string, leaf *x509.Certificate) {
	t.Helper()
	made, err := tlscert.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: made.Certificate[0]},
		key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, made.Leaf
}

func TestHangupReadsTheCertificateAgain(t *testing.T) {
	t.Parallel()
	cert, key, _ := writeSelfSigned(t)
	p := startProcess(t, "serve", "--listen", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--socket",
		filepath.Join(t.TempDir(), "s"))
	p.found("msg=ready")
	p.signal(unix.SIGHUP)
	p.found(`msg="certificate read" file=` + cert)
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(unix.SIGHUP)
	p.found(`level=ERROR msg="the certificate stays what it was"`)
	p.signal(unix.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestCertificateThatCannotBeReadNamesTheFlag(t *testing.T) {
	_, stderr, status := call(nil, "serve", "--listen", "https://127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key",
		"/nowhere", "--socket", filepath.Join(t.TempDir(), "s"))
	if status != 1 || !strings.HasPrefix(stderr,
		"upload-response: --tls-cert /nowhere, --tls-key /nowhere: certificate: open /nowhere: ") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestServeListensInSeveralPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0", "--listen",
		"unix:"+dir+"/http", "--listen-mode", "0660",
		"--tls-self-signed", "--http3=false", "--socket", dir+"/s")
	p.found(`msg=ready listen="127.0.0.1:\d+ https://127.0.0.1:\d+ unix:` + dir + `/http"`)
	if info, err := os.Stat(dir + "/http"); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", dir+"/http") }
	client := http.Client{Transport: &http.Transport{DialContext: dial}}
	response, err := client.Get("http://any/")
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v, %v", response, err)
	}
	client.CloseIdleConnections()
	p.signal(unix.SIGTERM)
	p.wait()
	if _, err := os.Stat(dir + "/http"); !os.IsNotExist(err) {
		t.Errorf("the socket file: %v", err)
	}
}

// As systemd does it: a listening socket is descriptor 3.
func TestSocketsOfSystemdAreTaken(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var log output
	command := exec.Command("/bin/sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh", os.Args[0],
		"serve", "--socket", filepath.Join(t.TempDir(), "s"))
	command.Env, command.ExtraFiles, command.Stderr = append(os.Environ(), asProgram+"=1"), []*os.File{file}, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = command.Process.Signal(unix.SIGTERM)
		_ = command.Wait()
	}()
	eventually(t, "it to listen", func() bool {
		return strings.Contains(log.String(),
			"msg=ready listen="+listener.Addr().String())
	})
	response, err := http.Get("http://" + listener.Addr().String())
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v, %v", response, err)
	}
}

func TestAnEarlyEndOfAClientIsInTheLogOfEveryVersion(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "demo", "--listen", "https://127.0.0.1:0", "--tls-self-signed", "--socket",
		filepath.Join(t.TempDir(), "s"))
	url := p.foundIn(&p.out, `curl -k -T big.file (https://127.0.0.1:\d+)/digest`)
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}
		client := http.Client{Transport: transport, Timeout: 30 * time.Second}
		body, upload := io.Pipe()
		go func() { _, _ = upload.Write([]byte("some")) }()
		response, err := client.Post(url+"/echo", "", body)
		if err != nil {
			t.Fatal(err)
		}
		expectNext(t, response, "some")
		_ = upload.CloseWithError(io.ErrUnexpectedEOF)
		_ = response.Body.Close()
		p.foundIn(&p.out, `path=/echo status=(?:499|400) received=4 .* protocol=`+response.Proto)
		transport.CloseIdleConnections()
	}
}

func TestWithoutListenTheServerIsLocalOrOnThePortOfThePlatform(t *testing.T) {
	for _, test := range []struct {
		port string
		args []string
		want string
	}{
		{"", nil, "127.0.0.1:8080"}, {"5000", nil, ":5000"},
		{"5000", []string{"--listen", "localhost"}, "localhost:8080"},
		{"5000", []string{"--listen", "127.0.0.1:$PORT"}, "127.0.0.1:5000"},
		{"5000", []string{"--listen", "${PORT}"}, ":5000"}, {"5000", []string{"--listen", "http://*:$PORT/"}, ":5000"},
	} {
		got := parsed(t, map[string]string{"PORT": test.port}, test.args...).listeners.addresses
		if len(got) != 1 || got[0].String() != test.want {
			t.Errorf("PORT=%s %q: %v, want %s", test.port, test.args, got, test.want)
		}
	}
	if _, err := tryParse(map[string]string{"PORT": "tcp://10.0.0.1:80"}); err == nil ||
		!strings.HasPrefix(err.Error(), `PORT "tcp://10.0.0.1:80": want a port from 0 to 65535`) {
		t.Error(err)
	}
	_, err := tryParse(map[string]string{"PORT": "80000"}, "--listen", "$PORT")
	if err == nil || !strings.Contains(err.Error(), "port 80000 is too large") {
		t.Error(err)
	}
}
