package attach

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// testMeeting returns a machine of its own for our user.
func testMeeting(t *testing.T) meeting {
	t.Helper()
	m := meeting{run: filepath.Join(t.TempDir(), "run"), tmp: t.TempDir(), uid: os.Geteuid()}
	makeFolder(t, m.run, 0o755)
	return m
}

func makeFolder(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func none(string) string { return "" }

func TestServerAndWorkersMeetInTheSessionsFolder(t *testing.T) {
	m := testMeeting(t)
	runtime := map[string]string{"XDG_RUNTIME_DIR": "/some/where"}
	if got := m.socket(func(name string) string { return runtime[name] }); got != "/some/where/upload-response.sock" {
		t.Error(got)
	}
	session := filepath.Join(m.run, "user", strconv.Itoa(m.uid))
	makeFolder(t, session, 0o700)
	if got := m.socket(none); got != session+"/upload-response.sock" {
		t.Error(got)
	}
	makeFolder(t, session, 0o770)
	if got := m.socket(none); filepath.Dir(got) == session {
		t.Error("a group may write it")
	}
}

func TestOnlyRootMeetsInTheSystemsFolder(t *testing.T) {
	m := testMeeting(t)
	want := m.tmp + "/upload-response-" + strconv.Itoa(m.uid) + "/upload-response.sock"
	if m.uid == 0 {
		want = m.run + "/upload-response.sock"
	}
	if got := m.socket(none); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	m.uid = 12345
	if got := m.socket(none); got != m.tmp+"/upload-response-12345/upload-response.sock" {
		t.Error(got)
	}
}

func TestTheFolderUnderTmpIsMadeForUsAlone(t *testing.T) {
	m := testMeeting(t)
	folder := m.ownFolder()
	path := filepath.Join(folder, "upload-response.sock")
	if err := m.check(path); err != nil {
		t.Errorf("without a folder: %v", err)
	}
	for range 2 {
		if err := m.makeFolder(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Lstat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAFolderUnderTmpThatSomebodyElseCanWriteIsRefused(t *testing.T) {
	for name, squat := range map[string]func(m *meeting, folder string){
		"mode":  func(_ *meeting, folder string) { makeFolder(t, folder, 0o777) },
		"owner": func(m *meeting, _ string) { m.uid++; makeFolder(t, m.ownFolder(), 0o700) },
		"link":  func(_ *meeting, folder string) { _ = os.Symlink(t.TempDir(), folder) },
		"file":  func(_ *meeting, folder string) { _ = os.WriteFile(folder, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			m := testMeeting(t)
			squat(&m, m.ownFolder())
			path := filepath.Join(m.ownFolder(), "upload-response.sock")
			if err := m.makeFolder(path); !errors.Is(err, ErrFolder) {
				t.Errorf("to listen there: %v", err)
			}
			if err := m.check(path); !errors.Is(err, ErrFolder) {
				t.Errorf("to connect there: %v", err)
			}
			if err := m.check(filepath.Join(m.tmp, "upload-response.sock")); err != nil {
				t.Errorf("a path that was given: %v", err)
			}
		})
	}
}
