package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/tlscert"
)

// want fails the test unless a check has this status, and its line and advice these words.
func want(t *testing.T, r Result, status Status, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(r.Found+" | "+r.Advice, word) {
			t.Errorf("%s: %q, %q; want %q", r.Check, r.Found, r.Advice, word)
		}
	}
	if r.Status != status || r.Found == "" || status == OK && r.Advice != "" {
		t.Errorf("%+v, want %s", r, status)
	}
}

func address(t *testing.T, text string) listen.Address {
	t.Helper()
	a, err := listen.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestThisKernelHasWhatSharedMemoryNeeds(t *testing.T) {
	for _, r := range kernel() {
		if r.Check != "kernel" {
			want(t, r, OK, "works")
		}
	}
}

func TestAnOldKernelAndARareProcessorAreNamed(t *testing.T) {
	want(t, judgeKernel("5.10.0-30-amd64", "amd64"), OK, "Linux 5.10.0-30-amd64, amd64")
	want(t, judgeKernel("6.1.0", "arm64"), OK)
	want(t, judgeKernel("5.4.0-1-generic", "amd64"), Fail, "use Linux 5.10 or later")
	want(t, judgeKernel("4.19", "amd64"), Fail)
	want(t, judgeKernel("6.1.0", "riscv64"), Warn, "amd64 and arm64")
}

func TestASandboxIsNamedWhereItForbidsACall(t *testing.T) {
	want(t, tried("memfd with seals", "memfd_create", unix.EPERM), Fail, "allow memfd_create in its seccomp profile")
	want(t, tried("eventfd", "eventfd2", unix.EMFILE), Fail, "too many open files")
}

func TestOpenFilesAreComparedWithRequestsAndWorkers(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max > math.MaxInt32 {
		t.Skipf("no limit of open files: %v", err)
	}
	want(t, OpenFiles(int(limit.Max), 0), Fail, "LimitNOFILE")
	if limit.Max >= fewFiles {
		want(t, OpenFiles(1, 1), OK, "take 71")
	}
}

func TestMemoryIsComparedWithTheMachine(t *testing.T) {
	limit, _ := memoryLimit("/proc", "/sys/fs/cgroup")
	want(t, memory(&Plan{Memory: 1 << 20}), OK, "1MiB of "+size(limit))
	want(t, memory(&Plan{Memory: limit + 1}), Fail, "lower --memory")
	want(t, memory(&Plan{Memory: limit - limit/8}), Warn, "lower --memory")
	want(t, fileSize(&Plan{Memory: 1 << 20}), OK)
}

// write writes files into a new folder.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTheNarrowestControlGroupIsTheLimitOfMemory(t *testing.T) {
	const machine = "MemTotal:        8388608 kB\nMemAvailable:    4194304 kB\n"
	for _, test := range []struct {
		files map[string]string
		limit uint64
		by    string
	}{
		{map[string]string{}, 8 << 30, "the machine"},
		{map[string]string{"self/cgroup": "0::/a/b\n", "groups/memory.max": "max\n",
			"groups/a/memory.max": "1073741824\n", "groups/a/b/memory.max": "2147483648\n"},
			1 << 30, "control group /a"},
		{map[string]string{"self/cgroup": "0::/\n", "groups/memory.max": "536870912\n"}, 512 << 20, "control group /"},
		{map[string]string{"self/cgroup": "5:cpu:/x\n4:memory:/x\n0::/y\n",
			"groups/memory/x/memory.limit_in_bytes": "268435456\n", "groups/x/memory.max": "1\n"}, 256 << 20,
			"control group /x"},
		{map[string]string{"self/cgroup": "0::/a\n", "groups/a/memory.max": "9223372036854771712\n"}, 8 << 30,
			"the machine"},
	} {
		test.files["meminfo"] = machine
		folder := write(t, test.files)
		if limit, by := memoryLimit(folder, folder+"/groups"); limit != test.limit || by != test.by {
			t.Errorf("%v: %d, %s", test.files, limit, by)
		}
	}
	if n := meminfo(filepath.Join(t.TempDir(), "meminfo"), "MemTotal"); n != math.MaxUint64 {
		t.Errorf("an unknown size is %d", n)
	}
}

func TestAnAddressIsFreeOrInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := &Plan{HTTP3: true, SocketMode: 0o600}
	busy := address(t, taken.Addr().String())
	want(t, p.address(busy, 0), Fail, "in use", "ss -lntup 'sport = :")
	want(t, p.address(busy, 77), Warn, "a server runs already, process 77")
	want(t, p.address(address(t, "127.0.0.1:0"), 0), OK, "free")
	want(t, p.address(address(t, "https://127.0.0.1:0"), 0), OK, "free")
	want(t, p.address(address(t, "192.0.2.1:8080"), 0), Fail, "no address of this machine")
	want(t, p.address(address(t, "fd:3"), 0), OK, "passed on")
	path := filepath.Join(t.TempDir(), "http")
	want(t, p.address(address(t, "unix:"+path), 0), OK, "free")
	if _, err := os.Stat(path); err == nil {
		t.Error("the check has left a socket behind")
	}
	p.Addresses = []listen.Address{address(t, "https://127.0.0.1:0")}
	if list := p.addresses(0); len(list) != 2 || list[1].Check != "UDP buffers" {
		t.Errorf("%+v", list)
	}
	p.HTTP3 = false
	if list := p.addresses(0); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

func TestACertificateIsReadableAndLasts(t *testing.T) {
	made, err := tlscert.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	folder := write(t, map[string]string{"cert": string(cert), "key": string(key), "text": "nothing"})
	p := &Plan{Cert: folder + "/cert", Key: folder + "/key"}
	now := time.Now()
	end := made.Leaf.NotAfter
	want(t, p.certificate(end.Add(-soon-time.Hour)), OK, end.Format(time.DateOnly))
	want(t, p.certificate(end.Add(-time.Hour)), Warn, "expires soon")
	want(t, p.certificate(end.Add(time.Hour)), Fail, "has expired")
	want(t, p.certificate(made.Leaf.NotBefore.Add(-time.Hour)), Fail, "the clock")
	want(t, (&Plan{Cert: folder + "/gone", Key: p.Key}).certificate(now), Fail, "no such file")
	want(t, (&Plan{Cert: folder + "/text", Key: p.Key}).certificate(now), Fail, "--tls-cert is the chain")
	want(t, (&Plan{ClientCA: p.Cert}).clientCA(), OK)
	want(t, (&Plan{ClientCA: folder + "/text"}).clientCA(), Fail, "has no certificate")
	want(t, (&Plan{ClientCA: folder + "/gone"}).clientCA(), Fail, "no such file")
	if err := os.Chmod(p.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, p.certificate(end.Add(-soon-time.Hour)), Warn, "chmod o= "+p.Key)
}

func TestTheFolderOfTheWorkerSocketIsThereAndOurs(t *testing.T) {
	folder := write(t, map[string]string{"file": ""})
	want(t, (&Plan{Socket: folder + "/s"}).socket(0), OK, folder+"/s")
	want(t, (&Plan{Socket: folder + "/s"}).socket(99), Warn, "a server runs already, process 99")
	want(t, (&Plan{Socket: folder + "/none/s"}).socket(0), Fail, "make the folder")
	want(t, (&Plan{Socket: folder + "/file/s"}).socket(0), Fail, "--socket")
	user := func(warning string, err error) func() (string, error) {
		return func() (string, error) { return warning, err }
	}
	want(t, (&Plan{Socket: folder + "/s", WorkerUser: user("", nil)}).socket(0), OK)
	want(t, (&Plan{Socket: folder + "/s", WorkerUser: user("cannot enter", nil)}).socket(0), Warn, "cannot enter")
	want(t, (&Plan{Socket: folder + "/s", WorkerUser: user("", os.ErrPermission)}).socket(0), Fail, "permission denied")
}

func TestAPythonWithoutTheSDKSaysHowToInstallIt(t *testing.T) {
	folder := write(t, map[string]string{
		"python": "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'upload_response'\" >&2\nexit 1\n"})
	python := folder + "/python"
	if err := os.Chmod(python, 0o755); err != nil {
		t.Fatal(err)
	}
	const advice = "/python -m pip install upload-response=="
	want(t, (&Plan{Python: python}).python(), Warn, "No module named", advice)
	want(t, (&Plan{Python: python, PythonGiven: true}).python(), Fail, "No module named", advice)
	want(t, (&Plan{Python: folder + "/gone", PythonGiven: true}).python(), Fail, "no such file")
	want(t, (&Plan{}).python(), OK, "there is no Python")
}

func TestSizesAreForPeople(t *testing.T) {
	for bytes, want := range map[uint64]string{0: "0B", 1023: "1023B", 1536: "1.5KiB", 256 << 20: "256MiB",
		math.MaxUint64 - 1: "16EiB", math.MaxUint64: "unknown"} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
