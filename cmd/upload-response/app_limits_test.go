package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// The worker has another user, too, as it should where it is to be kept from something.
func TestAWorkerInASandboxServesAndEndsWithTheServer(t *testing.T) {
	public := newPublicProgram(t)
	user := ""
	if os.Geteuid() == 0 {
		user = fmt.Sprintf("user: '%d:%d',", nobody, nobody)
	}
	name := inFile(t, fmt.Sprintf(`
listen: http://127.0.0.1:0
socket: %s/s
apps:
  digest: {command: [%s, worker, digest], directory: /, %s sandbox: {connect: [], bind: []}}
`, public.dir, public.path, user))
	p := startProcess(t, "serve", "-c", name)
	url := "http://" + p.found(`msg=ready listen=(\S+)`) + "/"
	worker := pid(t, p.found(`msg="link attached" .* pool=digest pid=(\d+)`))
	body := randomBytes(300_000)
	if got := put(t, url, body); !strings.Contains(string(got), fmt.Sprintf("%x", sha256.Sum256(body))) {
		t.Errorf("%s", got)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", worker))
	if err != nil || !strings.Contains(string(status), "\nNoNewPrivs:\t1\n") {
		t.Errorf("%v\n%s", err, status)
	}
	if enforced := (&supervise.Sandbox{Connect: []uint16{}}).NotInForce() == nil; enforced ==
		strings.Contains(p.err.String(), "limit=sandbox") {
		t.Errorf("enforced: %v, and\n%s", enforced, p.err.String())
	}
	p.signal(unix.SIGKILL)
	eventually(t, "end of the worker", func() bool { return !alive(worker) })
}

func TestCheckSaysWhichLimitsWouldNotBeInForce(t *testing.T) {
	name := inFile(t, `
apps:
  web: {command: sh, limits: {cpu: 50%}, sandbox: {bind: []}}
`)
	_, stderr, status := call(nil, "check", "-c", name)
	if status != 0 {
		t.Errorf("status %d, %s", status, stderr)
	}
	for limit, err := range map[string]error{
		`"memory and cpu"`: supervise.CheckCgroups(), "sandbox": (&supervise.Sandbox{Bind: []uint16{}}).NotInForce(),
	} {
		said := strings.Contains(stderr, `msg="a limit of the app is not in force" app=web limit=`+limit)
		if said != (err != nil) {
			t.Errorf("%s: %v, and it printed %q", limit, err, stderr)
		}
	}
}

func TestTheUsersOfTheAppsOfAFileAreLookedAt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of another user")
	}
	folder := t.TempDir() // closed to others
	for user, want := range map[string]string{
		"": "workers run as root", "user: root,": "workers run as root",
		"user: '65534:65534',": "user 65534 cannot enter",
	} {
		name := filepath.Join(folder, "my.yaml")
		text := fmt.Sprintf("listen: 127.0.0.1:0\nsocket: s\napps: {web: {%s command: [sleep, 1000]}}\n", user)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := startProcess(t, "serve", "-c", name)
		p.found("msg=(ready)")
		p.signal(unix.SIGTERM)
		p.wait()
		for _, warning := range []string{"workers run as root", "user 65534 cannot enter"} {
			if said := strings.Contains(p.err.String(), warning); said != (warning == want) {
				t.Errorf("%q: said %q: %v", user, warning, said)
			}
		}
	}
}
