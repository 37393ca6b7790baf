package attach

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// testFolders returns folders of the test for our user.
func testFolders(t *testing.T) folders {
	t.Helper()
	f := folders{run: filepath.Join(t.TempDir(), "run"), tmp: t.TempDir(), uid: os.Geteuid()}
	makeFolder(t, f.run, 0o755)
	return f
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
	f := testFolders(t)
	runtime := map[string]string{"XDG_RUNTIME_DIR": "/some/where"}
	if got := f.socket(func(name string) string { return runtime[name] }); got != "/some/where/upload-response.sock" {
		t.Error(got)
	}
	session := filepath.Join(f.run, "user", strconv.Itoa(f.uid))
	makeFolder(t, session, 0o700)
	if got := f.socket(none); got != session+"/upload-response.sock" {
		t.Error(got)
	}
	makeFolder(t, session, 0o770)
	if got := f.socket(none); filepath.Dir(got) == session {
		t.Error("a group may write it")
	}
}

func TestOnlyRootMeetsInTheSystemsFolder(t *testing.T) {
	f := testFolders(t)
	want := f.tmp + "/upload-response-" + strconv.Itoa(f.uid) + "/upload-response.sock"
	if f.uid == 0 {
		want = f.run + "/upload-response.sock"
	}
	if got := f.socket(none); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f.uid = 12345
	if got := f.socket(none); got != f.tmp+"/upload-response-12345/upload-response.sock" {
		t.Error(got)
	}
}

func TestTheFolderUnderTmpIsMadeForUsAlone(t *testing.T) {
	f := testFolders(t)
	folder := f.own()
	path := filepath.Join(folder, "upload-response.sock")
	if err := f.check(path); err != nil {
		t.Errorf("without a folder: %v", err)
	}
	for range 2 {
		if err := f.create(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Lstat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAFolderUnderTmpThatSomebodyElseCanWriteIsRefused(t *testing.T) {
	for name, squat := range map[string]func(f *folders, folder string){
		"mode":  func(_ *folders, folder string) { makeFolder(t, folder, 0o777) },
		"owner": func(f *folders, _ string) { f.uid++; makeFolder(t, f.own(), 0o700) },
		"link":  func(_ *folders, folder string) { _ = os.Symlink(t.TempDir(), folder) },
		"file":  func(_ *folders, folder string) { _ = os.WriteFile(folder, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			f := testFolders(t)
			squat(&f, f.own())
			path := filepath.Join(f.own(), "upload-response.sock")
			if err := f.create(path); !errors.Is(err, ErrFolder) {
				t.Errorf("to listen there: %v", err)
			}
			if err := f.check(path); !errors.Is(err, ErrFolder) {
				t.Errorf("to connect there: %v", err)
			}
			if err := f.check(filepath.Join(f.tmp, "upload-response.sock")); err != nil {
				t.Errorf("a path that was given: %v", err)
			}
		})
	}
}
