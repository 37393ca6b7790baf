package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWorkersRunAsTheUserThatIsNamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of another user")
	}
	public := newPublicProgram(t)
	seen := filepath.Join(public.dir, "seen")
	socket := filepath.Join(public.dir, "s")
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket, "--worker-user",
		fmt.Sprintf("%d:%d", nobody, nobody),
		"--worker", fmt.Sprintf("default=sh -c 'env >%s; exec %s worker echo'", seen, public.path))
	worker := pid(t, p.found(`msg="link attached" .* pool=default pid=(\d+)`))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", worker))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nUid:\t65534\t65534\t65534\t65534\n", "\nGid:\t65534\t65534\t65534\t65534\n",
		"\nGroups:\t"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("its status has no %q:\n%s", want, status)
		}
	}
	_, groups, _ := strings.Cut(string(status), "\nGroups:")
	groups, _, _ = strings.Cut(groups, "\n")
	if groups := strings.Fields(groups); len(groups) > 1 {
		t.Errorf("it is in the groups %q", groups)
	}
	text, err := os.ReadFile(seen)
	if err != nil || !strings.Contains("\n"+string(text), "\nUPLOAD_RESPONSE_SERVER_UID=0\n") ||
		!strings.Contains(string(text), "UPLOAD_RESPONSE_SOCKET="+socket+"\n") {
		t.Errorf("its environment: %q, %v", text, err)
	}
	if err := exec.Command("kill", "-KILL", fmt.Sprint(p.cmd.Process.Pid)).Run(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of the worker", func() bool { return !alive(worker) })
}

func TestRootIsWarnedOfWorkersThatAreRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("we are not root")
	}
	for _, user := range []string{"", "--worker-user=65534:65534"} {
		args := []string{"serve", "--listen", "127.0.0.1:0", "--socket", filepath.Join(t.TempDir(), "s"), "--worker",
			"default=sleep 1000"}
		if user != "" {
			args = append(args, user)
		}
		p := startProcess(t, args...)
		p.found("msg=(ready)")
		p.signal(unix.SIGTERM)
		p.wait()
		if warned := strings.Contains(p.err.String(), "workers run as root"); warned != (user == "") {
			t.Errorf("%q: warned: %v", user, warned)
		}
		if warned := strings.Contains(p.err.String(), "user 65534 cannot enter"); warned != (user != "") {
			t.Errorf("%q: warned of the socket's folder, which has mode 0700: %v", user, warned)
		}
	}
}
