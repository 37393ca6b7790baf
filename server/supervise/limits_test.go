package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAProcessHasTheLimitOfFilesThatItsAppSays(t *testing.T) {
	var r recorder
	a := shell(obedient)
	a.Limits.OpenFiles = 123
	s := running(t, r.config(), a)
	attaching(t, s)
	pid := ready(t, s)[0]
	eventually(t, "the limit", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		_, rest, _ := strings.Cut(string(text), "Max open files")
		fields := strings.Fields(rest)
		return len(fields) > 1 && fields[0] == "123" && fields[1] == "123"
	})
}

func TestAProcessIsReplacedWhenItsFilesChange(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("shop/views.py")
	write("shop/data.txt")
	var r recorder
	a := shell(obedient)
	a.Directory, a.Watch = dir, []string{"**/*.py", "one.conf"}
	s := running(t, r.config(), a)
	attaching(t, s)
	pids := ready(t, s)
	eventually(t, "the watch", func() bool { return watches(filepath.Join(dir, "shop")) })
	write("shop/data.txt") // is nobody's business
	for _, name := range []string{"shop/views.py", "one.conf", "shop/new/models.py"} {
		before := pids[len(pids)-1]
		write(name)
		eventually(t, "a new process after "+name, func() bool {
			now := ready(t, s)[0]
			if now != before {
				pids = append(pids, now)
			}
			return now != before
		})
	}
	eventually(t, "the log", func() bool { return strings.Count(r.String(), "the workers are replaced") >= 3 })
	if strings.Contains(r.String(), "data.txt") || slices.Contains(pids[:1], pids[len(pids)-1]) {
		t.Error("it was replaced for a file that it does not watch")
	}
	s.Stop()
	if err := unix.Kill(pids[len(pids)-1], 0); err == nil {
		t.Error("the last process is still there")
	}
}

// watches reports whether this process watches a folder.
func watches(folder string) bool {
	var want unix.Stat_t
	if unix.Stat(folder, &want) != nil {
		return false
	}
	files, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if strings.Contains(string(text), "inotify wd:") &&
			strings.Contains(string(text), fmt.Sprintf(" ino:%x ", want.Ino)) {
			return true
		}
	}
	return false
}
