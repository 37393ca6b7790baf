package supervise

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sandboxed runs a script in a sandbox, and returns what it prints. The script starts in a
// folder that it may read.
func sandboxed(t *testing.T, box Sandbox, script string) string {
	t.Helper()
	var r recorder
	a := shell(script + "\necho done >&2; exec sleep 1000")
	a.Directory, a.Sandbox = t.TempDir(), &box
	if err := os.WriteFile(filepath.Join(a.Directory, "app"), []byte("of the app\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	running(t, r.config(), a)
	eventually(t, "the end of the script", func() bool { return strings.Contains(r.stderr(), "done\n") })
	return r.stderr()
}

// needLandlock skips a test where the kernel does not enforce what it is about.
func needLandlock(t *testing.T, since int) {
	t.Helper()
	if abi := landlockABI(); abi < since {
		t.Skipf("the kernel has Landlock %d, and this needs %d", abi, since)
	}
}

// try prints whether a command succeeds.
func try(name, command string) string {
	return fmt.Sprintf("if %s >/dev/null 2>&1; then echo %s: yes >&2; else echo %s: no >&2; fi\n", command, name, name)
}

func TestAProcessInASandboxReachesWhatItsAppNamesAndNoMore(t *testing.T) {
	needLandlock(t, abiMove)
	outside, data, kept := t.TempDir(), t.TempDir(), t.TempDir()
	secret, tool := filepath.Join(outside, "secret"), filepath.Join(outside, "tool")
	for name, text := range map[string]string{secret: "s", filepath.Join(kept, "k"): "k", tool: "#!/bin/sh\n"} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	box := Sandbox{Read: []string{kept}, Write: []string{data}}
	var script strings.Builder
	for _, c := range [][2]string{
		{"its folder", "cat app"}, {"what it may read", "cat " + kept + "/k"}, {"a program", "/bin/true"},
		{"settings", "cat /etc/passwd"}, {"itself", "cat /proc/self/status"}, {"null", "echo x >/dev/null"},
		{"random", "head -c1 /dev/urandom"}, {"make", "echo x >" + data + "/x"},
		{"folders", "mkdir -p " + data + "/a/b"},
		{"move", "mv " + data + "/x " + data + "/a/b/y"}, {"read again", "cat " + data + "/a/b/y"},
		{"link", "ln -s y " + data + "/a/b/z"}, {"pipe", "mkfifo " + data + "/f"}, {"remove", "rm " + data + "/a/b/y"},
		{"secret", "cat " + secret}, {"list", "ls " + outside}, {"tool", tool}, {"change", "echo x >>" + secret},
		{"new", "touch " + outside + "/new"}, {"change its folder", "touch other"},
		{"change what it may read", "touch " + kept + "/other"}, {"temporary", "touch /tmp/limits.$$"},
		{"run what was written",
			"sh -c 'cp /bin/true " + data + "/true && chmod 700 " + data + "/true && " + data + "/true'"},
		{"device", "mknod " + data + "/d c 1 3"}, {"sysctl", "sh -c 'echo 0 >/proc/self/oom_score_adj'"},
	} {
		script.WriteString(try(strconv.Quote(c[0]), c[1]))
	}
	got := sandboxed(t, box, script.String())
	yes, no := "its folder,what it may read,a program,settings,itself,null,random,make,folders,move,read again,link,"+
		"pipe,remove", "secret,list,tool,change,new,change its folder,change what it may read,temporary,"+
		"run what was written,device,sysctl"
	for answer, names := range map[string]string{"yes": yes, "no": no} {
		for name := range strings.SplitSeq(names, ",") {
			if !strings.Contains("\n"+got, "\n"+name+": "+answer+"\n") {
				t.Errorf("%s: want %s", name, answer)
			}
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestAProcessInASandboxGainsNoRightsAndSignalsNobody(t *testing.T) {
	needLandlock(t, abiScope)
	victim := exec.Command("sleep", "1000")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = victim.Process.Kill(); _ = victim.Wait() }()
	got := sandboxed(t, Sandbox{}, "grep NoNewPrivs /proc/self/status >&2\n"+
		try("other", fmt.Sprintf("kill -0 %d", victim.Process.Pid))+
		try("server", fmt.Sprintf("kill -0 %d", os.Getpid()))+
		"sleep 1000 &\n"+try("child", "kill $!"))
	for _, want := range []string{"NoNewPrivs:\t1\n", "other: no\n", "server: no\n", "child: yes\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestTheServerItselfIsInNoSandbox(t *testing.T) {
	sandboxed(t, Sandbox{Connect: []uint16{}}, "")
	if _, err := os.ReadDir(t.TempDir()); err != nil {
		t.Error(err)
	}
	status, err := os.ReadFile("/proc/self/status") // of the main thread
	if err != nil || !strings.Contains(string(status), "\nNoNewPrivs:\t0\n") {
		t.Errorf("%v\n%s", err, status)
	}
}

func TestAProcessInASandboxUsesThePortsThatItsAppNames(t *testing.T) {
	needLandlock(t, abiTCP)
	const python = "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		t.Skip(err)
	}
	var ports [2]uint16
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = uint16(l.Addr().(*net.TCPAddr).Port)
	}
	const dial = `'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))'`
	const listen = `'import socket, sys; socket.socket().bind(("127.0.0.1", 0))'`
	connect := fmt.Sprintf("%s -c %s ", python, dial)
	script := try("one", connect+strconv.Itoa(int(ports[0]))) + try("two", connect+strconv.Itoa(int(ports[1]))) +
		try("listen", fmt.Sprintf("%s -c %s", python, listen))
	for _, c := range []struct {
		box              Sandbox
		one, two, listen string
	}{
		{Sandbox{}, "yes", "yes", "yes"},
		{Sandbox{Connect: ports[:1]}, "yes", "no", "yes"},
		{Sandbox{Connect: []uint16{}}, "no", "no", "yes"},
		{Sandbox{Bind: []uint16{}}, "yes", "yes", "no"},
		{Sandbox{Bind: []uint16{0}}, "yes", "yes", "yes"},
	} {
		want := fmt.Sprintf("one: %s\ntwo: %s\nlisten: %s\ndone\n", c.one, c.two, c.listen)
		if got := sandboxed(t, c.box, script); got != want {
			t.Errorf("connect %v, bind %v: %q, want %q", c.box.Connect, c.box.Bind, got, want)
		}
	}
}

func TestASandboxThatNamesWhatIsNotThereKeepsTheProcessFromStarting(t *testing.T) {
	needLandlock(t, 1)
	var r recorder
	a := shell(obedient)
	a.Sandbox = &Sandbox{Write: []string{"/no/such/folder"}}
	running(t, r.config(), a)
	r.found(t, "sandbox: /no/such/folder: no such file or directory")
}

// Where the kernel enforces a sandbox nothing is said; where it does not the log says once
// what is not in force, and the worker runs, unless the sandbox is required.
func TestASandboxIsInForceOrTheLogSaysSo(t *testing.T) {
	box := Sandbox{Connect: []uint16{}}
	var r recorder
	a := shell(obedient)
	a.Processes, a.Sandbox = 2, &box
	s := running(t, r.config(), a)
	attaching(t, s)
	ready(t, s)
	const said = `msg="a limit of the app is not in force" app=p limit=sandbox`
	want := 1
	if box.NotInForce() == nil {
		want = 0
	}
	if n := strings.Count(r.String(), said); n != want {
		t.Errorf("said %d times, want %d, in\n%s", n, want, r.String())
	}
	a.Name, box.Required = "q", true
	if box.Check() == nil {
		return
	}
	running(t, r.config(), a)
	r.found(t, "the sandbox is required")
}

func TestWhatAKernelDoesNotEnforceIsSaid(t *testing.T) {
	files, ports := Sandbox{}, Sandbox{Bind: []uint16{}}
	for _, c := range []struct {
		box  *Sandbox
		abi  int
		want []string
	}{
		{&files, 0, []string{"nothing is restricted"}}, {&files, 2, []string{"truncating", "ioctl", "signals"}},
		{&files, 3, []string{"ioctl", "signals"}}, {&ports, 3, []string{"TCP", "ioctl", "signals"}},
		{&ports, 4, []string{"ioctl", "signals"}}, {&ports, 5, []string{"signals"}},
		{&ports, 6, nil}, {&ports, 99, nil},
	} {
		err := c.box.notInForce(c.abi)
		if (err == nil) != (c.want == nil) {
			t.Errorf("Landlock %d: %v", c.abi, err)
		}
		for _, word := range c.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("Landlock %d: %v does not say %q", c.abi, err, word)
			}
		}
	}
}

func TestAProcessInASandboxEndsWithTheThreadThatStartedIt(t *testing.T) {
	ended := make(chan struct{})
	command := exec.Command("sleep", "1000")
	command.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := (&Sandbox{}).start(command, ended); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(unix.Signal(0)); err != nil {
		t.Error("it has not lived as long as the thread:", err)
	}
	close(ended)
	if err := command.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

func TestWhatAProgramNeedsIsItsOwnAndNotTheWholeDisk(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"venv/bin", "base/bin", "base/lib/python3.99"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	python := filepath.Join(dir, "base/bin/python3.99")
	for _, err := range []error{
		os.WriteFile(python, nil, 0o700), os.WriteFile(filepath.Join(dir, "venv/pyvenv.cfg"), nil, 0o600),
		os.Symlink(python, filepath.Join(dir, "venv/bin/python")),
		os.WriteFile(filepath.Join(dir, "venv/bin/tool"), nil, 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tool := filepath.Join(dir, "venv/bin/tool")
	got := neededBy(&exec.Cmd{Path: tool, Dir: "/", Env: []string{"PYTHONPATH=/first", "PYTHONPATH=/lib/a:b::/"}})
	want := []string{tool, filepath.Join(dir, "venv"), filepath.Join(dir, "base"), "/lib/a", "/b"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%q, want %q", got, want)
	}
}

func BenchmarkStartInASandbox(b *testing.B) {
	for name, box := range map[string]*Sandbox{"none": nil, "sandbox": {Write: []string{b.TempDir()}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				command, ended := exec.Command("/bin/true"), make(chan struct{})
				if err := box.start(command, ended); err != nil {
					b.Fatal(err)
				}
				_ = command.Wait()
				close(ended)
			}
		})
	}
}
