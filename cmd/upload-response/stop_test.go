package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// startDemoAt starts a demo whose worker socket is known.
func startDemoAt(t *testing.T) (p *process, url, socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	p = startProcess(t, "demo", "--listen", "127.0.0.1:0", "--socket", socket)
	return p, p.foundIn(&p.out, `curl -T big.file (http://127.0.0.1:\d+)/digest`), socket
}

func TestStopWaitsForTheRequestsThatRun(t *testing.T) {
	t.Parallel()
	p, url, socket := startDemoAt(t)
	upload, response := beginEcho(t, url, "begun ")
	stdout, stderr, status := call(nil, "stop", "--socket", socket, "--timeout", "300ms")
	if status != 1 || stdout != "" || !strings.Contains(stderr, "still runs after 300ms: --now cuts off the requests") {
		t.Fatalf("status %d, printed %q and %q", status, stdout, stderr)
	}
	p.found("msg=stopping signal=terminated")
	_, _ = upload.Write([]byte("ended"))
	_ = upload.Close()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "ended" {
		t.Errorf("%q, %v", got, err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("the server ended with status %d", status)
	}
}

func TestStopReturnsWhenTheServerHasEnded(t *testing.T) {
	t.Parallel()
	p, _, socket := startDemoAt(t)
	stdout, stderr, status := call(map[string]string{"UPLOAD_RESPONSE_SOCKET": socket}, "stop")
	if status != 0 || stderr != "" || stdout != fmt.Sprintf("process %d has ended\n", p.cmd.Process.Pid) {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("the server ended with status %d", status)
	}
	_, stderr, status = call(nil, "stop", "--socket", socket)
	if status != 1 || stderr != "upload-response: no server listens on "+socket+"\n" {
		t.Errorf("status %d, printed %q", status, stderr)
	}
}

func TestStopNowCutsOffWhatRuns(t *testing.T) {
	t.Parallel()
	p, url, socket := startDemoAt(t)
	beginEcho(t, url, "never ends")
	if stdout, stderr, status := call(nil, "stop", "--now", "--socket", socket); status != 0 {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	if status := p.wait(); status != 1 || !strings.Contains(p.err.String(), "stopped at once by a second signal") {
		t.Errorf("the server ended with status %d", status)
	}
}

func TestReloadReadsTheCertificateAgain(t *testing.T) {
	t.Parallel()
	cert, key, _ := writeSelfSigned(t)
	socket := filepath.Join(t.TempDir(), "s")
	p := startProcess(t, "serve", "--listen", "https://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--socket",
		socket)
	p.found("msg=ready")
	stdout, stderr, status := call(nil, "reload", "--socket", socket)
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, fmt.Sprintf("process %d ", p.cmd.Process.Pid)) {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	p.found(`msg="certificate read" file=` + cert)
	if log := p.err.String(); strings.Contains(log, "level=WARN") {
		t.Errorf("looking for the server has left its mark:\n%s", log)
	}
}

func TestAProcessOfAnotherProgramDoesNotGetSIGHUP(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	other, socket := filepath.Join(folder, "other"), filepath.Join(folder, "s")
	if err := os.Symlink(self, other); err != nil {
		t.Fatal(err)
	}
	p := startCommand(t, exec.Command(other, "serve", "--listen", "127.0.0.1:0", "--socket", socket, "--admin", "off"))
	p.found("msg=ready")
	for command, want := range map[string]string{"reload": "SIGHUP", "upgrade": "SIGUSR2"} {
		stdout, stderr, status := call(nil, command, "--socket", socket)
		if status != 1 || stdout != "" || !strings.Contains(stderr, " is other, and may not survive "+want) {
			t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
		}
	}
}

func TestAServerOutOfReachIsAnErrorThatSaysWhy(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"stop", "reload", "upgrade"} {
		for path, want := range map[string]string{
			folder + "/none": "no server listens on " + folder + "/none", file: "no server listens on " + file,
			file + "/s": "worker socket " + file + "/s: ",
		} {
			stdout, stderr, status := call(nil, command, "--socket", path)
			if status != 1 || stdout != "" || !strings.HasPrefix(stderr, "upload-response: "+want) {
				t.Errorf("%s %s: status %d, printed %q and %q", command, path, status, stdout, stderr)
			}
		}
	}
	dead := &serverProcess{pid: 1, descriptor: -1}
	if err := dead.signal(unix.SIGTERM); err == nil {
		t.Error("a signal to nobody is no error")
	}
}
