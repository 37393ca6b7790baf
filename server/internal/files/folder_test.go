package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// site makes a folder in a folder, of files by their paths. What a path is told to hold is
// what is in the file; "-> x" makes a symlink.
func site(t *testing.T, list map[string]string) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	for name, content := range list {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(to, file)
		} else {
			err = os.WriteFile(file, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func open(t *testing.T, c Config) *Folder {
	t.Helper()
	f, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read returns what Find gives for a path: the content, or "none".
func read(t *testing.T, f *Folder, target, accept string) (content string, file *File) {
	t.Helper()
	var fields []string
	if accept != "" {
		fields = []string{accept}
	}
	file, err := f.Find(target, fields)
	if errors.Is(err, ErrNone) {
		return "none", nil
	}
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	defer file.Close()
	all, err := io.ReadAll(file)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return string(all), file
}

func TestAPathNamesAFileBelowTheRoot(t *testing.T) {
	root := site(t, map[string]string{
		"index.html": "home", "a.txt": "a", "dir/index.html": "dir", "dir/b.css": "b", "bare/c.js": "c",
		"a b\u00e9.txt":   "s",
		".env":            "secret",
		"dir/.git/config": "secret", ".well-known/security.txt": "w", ".well-known/.x": "secret",
		"inside.txt": "-> a.txt", "linked": "-> dir", "up.txt": "-> ../outside.txt", "abs.txt": "-> /etc/hostname",
		"loop": "-> loop", "away": "-> ../outside", "..x": "dots",
	})
	outside := filepath.Join(filepath.Dir(root), "outside")
	if err := errors.Join(os.WriteFile(outside+".txt", []byte("outside"), 0o600), os.Mkdir(outside, 0o700),
		os.WriteFile(filepath.Join(outside, "x.txt"), []byte("outside"), 0o600),
		syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	folder := open(t, Config{Root: root})
	for target, want := range map[string]string{
		"/": "home", "": "home", "/index.html": "home", "/a.txt": "a", "/dir": "dir", "/dir/": "dir", "/dir/b.css": "b",
		"/dir/index.html": "dir", "/a b\u00e9.txt": "s", "/inside.txt": "a", "/linked/b.css": "b", "//a.txt": "a",
		"/dir/../a.txt": "a", "/./a.txt": "a", "/.well-known/security.txt": "w",
		"/none": "none", "/a.txt/": "none", "/a.txt/x": "none", "/bare": "none", "/bare/": "none", "/A.txt": "none",
		"/.env": "none", "/dir/.git/config": "none", "/.well-known/.x": "none", "/dir/../.env": "none", "/..x": "none",
		"/up.txt": "none", "/abs.txt": "none", "/away/x.txt": "none", "/loop": "none", "/pipe": "none",
		"/../outside.txt": "none", "/../../etc/passwd": "none", "/dir/../../outside.txt": "none",
		"/a.txt\x00.png": "none", "/a\x00": "none", "/" + strings.Repeat("x", 300): "none",
		"/" + strings.Repeat("x/", 3000): "none", `/..\outside.txt`: "none",
	} {
		if got, _ := read(t, folder, target, ""); got != want {
			t.Errorf("%.80q is %q, want %q", target, got, want)
		}
	}
	if _, file := read(t, folder, "/dir", ""); !file.MissesSlash {
		t.Error("the path of a folder needs no slash")
	}
	if got, _ := read(t, open(t, Config{Root: root, Dotfiles: true}), "/.env", ""); got != "secret" {
		t.Errorf("with dotfiles, .env is %q", got)
	}
}

func TestAFileThatMayNotBeReadIsNone(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	root := site(t, map[string]string{"a.txt": "a"})
	if err := os.Chmod(filepath.Join(root, "a.txt"), 0); err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, open(t, Config{Root: root}), "/a.txt", ""); got != "none" {
		t.Errorf("it is %q", got)
	}
}

func TestAClientGetsTheVariantThatItPrefers(t *testing.T) {
	root := site(t, map[string]string{
		"a.js": "plain", "a.js.gz": "gz", "a.js.br": "br", "a.js.zst": "zst", "b.js": "plain", "b.js.gz": "gz",
		"c.js.gz": "gz", "index.html": "home", "index.html.gz": "home gz",
	})
	folder := open(t, Config{Root: root, Precompressed: []string{"zst", "br", "gz"}})
	for _, c := range []struct{ target, accept, want, coding string }{
		{"/a.js", "", "plain", ""}, {"/a.js", "gzip", "gz", "gzip"}, {"/a.js", "gzip, deflate, br, zstd",
			"zst", "zstd"},
		{"/a.js", "gzip, br", "br", "br"}, {"/a.js", "gzip;q=1, br;q=0.5", "gz", "gzip"}, {"/a.js", "*", "zst", "zstd"},
		{"/a.js", "identity, gzip;q=0.5", "plain", ""}, {"/a.js", "gzip;q=0", "plain", ""},
		{"/b.js", "br, zstd, gzip;q=0.1", "gz", "gzip"}, {"/b.js", "br", "plain", ""},
		{"/c.js", "gzip", "none", ""}, {"/", "gzip", "home gz", "gzip"},
	} {
		got, file := read(t, folder, c.target, c.accept)
		if got != c.want || file != nil && (file.Coding != c.coding || !file.Varies) {
			t.Errorf("%s for %q is %q, %+v", c.target, c.accept, got, file)
		}
		if file != nil && c.target == "/a.js" && file.ContentType != "text/javascript; charset=utf-8" {
			t.Errorf("%s for %q is of the type %s", c.target, c.accept, file.ContentType)
		}
	}
	if got, _ := read(t, open(t, Config{Root: root}), "/a.js", "gzip"); got != "plain" {
		t.Errorf("without precompressed files, it is %q", got)
	}
}

func TestAPathWithoutAFileFallsBack(t *testing.T) {
	root := site(t, map[string]string{"app/index.html": "app", "a.js": "a"})
	folder := open(t, Config{Root: root, Fallback: "/app/index.html", Expires: 3600e9})
	for target, want := range map[string]string{"/users/1": "app", "/a.js": "a", "/": "app", "/.env": "app"} {
		got, file := read(t, folder, target, "")
		cache := map[string]string{"app": "no-cache", "a": "max-age=3600"}[want]
		if got != want || file.CacheControl != cache || file.MissesSlash {
			t.Errorf("%s is %q, %s", target, got, file.CacheControl)
		}
	}
}

func TestATagChangesWithTheFile(t *testing.T) {
	root := site(t, map[string]string{"a.txt": "a", "a.txt.gz": "z"})
	folder := open(t, Config{Root: root, Precompressed: []string{"gz"}})
	_, first := read(t, folder, "/a.txt", "")
	_, again := read(t, folder, "/a.txt", "")
	_, packed := read(t, folder, "/a.txt", "gzip")
	if first.Tag() != again.Tag() || first.Tag() == packed.Tag() || !strings.HasPrefix(first.Tag(), `"`) {
		t.Errorf("%s, %s, compressed %s", first.Tag(), again.Tag(), packed.Tag())
	}
	other := filepath.Join(root, "b.txt")
	if err := errors.Join(os.WriteFile(other, []byte("b"), 0o600), os.Rename(other, filepath.Join(root,
		"a.txt"))); err != nil {
		t.Fatal(err)
	}
	if _, changed := read(t, folder, "/a.txt", ""); changed.Tag() == first.Tag() {
		t.Errorf("another file has the tag %s, too", changed.Tag())
	}
}

func TestAFolderThatMakesNoSenseIsRefused(t *testing.T) {
	root := site(t, map[string]string{"a.txt": "a"})
	for name, c := range map[string]Config{
		"no root": {}, "a root that is none": {Root: root + "x"}, "a root that is a file": {Root: root + "/a.txt"},
		"a suffix that is none": {Root: root, Precompressed: []string{"gzip"}},
		"an index that climbs":  {Root: root, Index: "../x"},
		"a fallback outside":    {Root: root, Fallback: "/../x"},
		"negative expires":      {Root: root, Expires: -1},
	} {
		if _, err := Open(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFilesAreClosed(t *testing.T) {
	root := site(t, map[string]string{"a.txt": "a", "a.txt.gz": "z", "dir/index.html": "d"})
	folder := open(t, Config{Root: root, Precompressed: []string{"gz"}, Fallback: "/a.txt"})
	before := descriptors(t)
	for range 2500 {
		for _, target := range []string{"/a.txt", "/dir", "/none", "/a.txt/"} {
			read(t, folder, target, "gzip")
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors more", after-before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
