package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/doctor"
)

// withoutPython makes a PATH without Python, which some tests do not need.
func withoutPython(t *testing.T) { t.Setenv("PATH", t.TempDir()) }

func TestDoctorLooksAtWhatIsToRun(t *testing.T) {
	withoutPython(t)
	socket := filepath.Join(t.TempDir(), "s")
	stdout, stderr, status := call(nil, "doctor", "--socket", socket, "--listen", "127.0.0.1:0")
	if status != 0 || stderr != "" {
		t.Errorf("status %d, printed %q", status, stderr)
	}
	for _, check := range []string{"kernel", "memfd with seals", "eventfd", "futex", "open files", "memory",
		"file size", "address 127.0.0.1:0", "worker socket", "Python SDK"} {
		if strings.Count(stdout, "  "+check+"  ") != 1 {
			t.Errorf("no line of %s in\n%s", check, stdout)
		}
	}
	if strings.Contains(stdout, "fail  ") || strings.Contains(stdout, "UDP") {
		t.Error(stdout)
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the check has left a socket behind")
	}
}

func TestDoctorFailsWhereAServerWould(t *testing.T) {
	withoutPython(t)
	stdout, stderr, status := call(nil, "doctor", "--json", "--listen", "https://192.0.2.1:1",
		"--tls-cert", "/none/cert", "--tls-key", "/none/key", "--socket", "/none/s", "--memory", "1000TiB",
		"--python", "/none/python")
	var report struct {
		OK     bool
		Checks []doctor.Result
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	failed := map[string]bool{}
	for _, r := range report.Checks {
		if r.Status == doctor.Fail {
			failed[r.Check] = true
		}
	}
	for _, check := range []string{"memory", "address https://192.0.2.1:1", "certificate", "worker socket",
		"Python SDK"} {
		if !failed[check] {
			t.Errorf("%s has not failed", check)
		}
	}
	if status != 1 || report.OK || !strings.Contains(stderr, "upload-response: 5 of ") || len(failed) != 5 {
		t.Errorf("status %d, printed %q, failed %v", status, stderr, failed)
	}
}

func TestDoctorFindsTheServerThatRuns(t *testing.T) {
	withoutPython(t)
	socket := filepath.Join(t.TempDir(), "s")
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket)
	address := p.found(`listen=(127\.0\.0\.1:\d+)`)
	stdout, _, status := call(nil, "doctor", "--listen", address, "--socket", socket)
	if status != 0 || strings.Count(stdout, "a server runs already, process ") != 2 {
		t.Errorf("status %d, printed\n%s", status, stdout)
	}
}

func TestDoctorKnowsTheMistakesOfServe(t *testing.T) {
	_, stderr, status := call(nil, "doctor", "--listen", "https://:8443")
	if status != 2 || !strings.Contains(stderr, "needs a certificate") ||
		!strings.Contains(stderr, "'upload-response doctor --help'") {
		t.Errorf("status %d, printed %q", status, stderr)
	}
}

func TestAServerThatMayOpenFewFilesSaysSoAtTheStart(t *testing.T) {
	t.Parallel()
	args := `--socket "$0" --listen 127.0.0.1:0`
	start := func(command string) *process {
		line := "ulimit -n 256; exec " + os.Args[0] + " " + command + " " + args
		return startCommand(t, exec.Command("sh", "-c", line, filepath.Join(t.TempDir(), "s")))
	}
	const sentence = "256 at most; 100 requests and 16 workers take 260"
	doctor := start("doctor")
	doctor.wait()
	if !strings.Contains(doctor.out.String(), sentence) {
		t.Errorf("doctor says\n%s", doctor.out.String())
	}
	server := start("serve")
	server.found(`level=WARN msg="few files may be open" why="` + sentence + `" advice="every connection takes one`)
	server.signal(unix.SIGTERM)
	server.wait()
	if n := strings.Count(server.err.String(), sentence); n != 1 {
		t.Errorf("it says it %d times", n)
	}
}
