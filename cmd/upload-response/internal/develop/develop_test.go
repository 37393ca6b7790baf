package develop

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// write writes files below a new folder, and makes it the current one.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	return folder
}

func nothing(string) string { return "" }

func TestAnApplicationIsAModuleAFileAProgramOrAFolder(t *testing.T) {
	folder := write(t, map[string]string{
		".venv/bin/python": "", "app.py": "", "shop/main.py": "", "shop/app.py": "", "site/manage.py": "",
		"site/mysite/asgi.py": "", "site/mysite/wsgi.py": "", "program": "", "bin/worker": "",
	})
	python := filepath.Join(folder, ".venv/bin/python")
	for name, want := range map[string][]string{ // folder, module, attribute, interface, file
		"shop.wsgi:app":       {folder, "shop.wsgi", "app", "auto", ""},
		"shop:make()":         {folder, "shop", "make()", "auto", ""},
		"shop.wsgi":           {folder, "shop.wsgi", "", "auto", ""},
		"app.py":              {folder, "app", "", "auto", folder + "/app.py"},
		"./app.py":            {folder, "app", "", "auto", folder + "/app.py"},
		folder + "/app.py":    {folder, "app", "", "auto", folder + "/app.py"},
		".":                   {folder, "app", "", "auto", folder + "/app.py"},
		"shop":                {folder + "/shop", "app", "", "auto", folder + "/shop/app.py"},
		"site":                {folder + "/site", "mysite.wsgi", "", "auto", ""},
		"site/mysite/asgi.py": {folder + "/site/mysite", "asgi", "", "auto", folder + "/site/mysite/asgi.py"},
		"shop/main.py":        {folder + "/shop", "main", "", "auto", folder + "/shop/main.py"},
		folder + "/shop/":     {folder + "/shop", "app", "", "auto", folder + "/shop/app.py"},
	} {
		app, err := Find(name, Options{Interface: "auto", Getenv: nothing})
		if err != nil || app.Command[0] != python || !slices.Equal(app.Command[3:8], want) || app.Folder != want[0] ||
			!slices.Equal(app.Patterns, []string{"*.py"}) || app.Name != name {
			t.Errorf("%s: %+v, %v", name, app, err)
		}
	}
	for _, name := range []string{"./program", "program", "bin/worker"} {
		app, err := Find(name, Options{Getenv: nothing})
		path := filepath.Join(folder, name)
		if err != nil || !slices.Equal(app.Command, []string{path}) || app.Folder != filepath.Dir(path) ||
			!slices.Equal(app.Patterns, []string{filepath.Base(path)}) {
			t.Errorf("%s: %+v, %v", name, app, err)
		}
	}
}

func TestWhatIsNoApplicationSaysWhatWasLookedFor(t *testing.T) {
	folder := write(t, map[string]string{"empty/x": "", "notes.txt": "", "site/manage.py": ""})
	if err := os.Chmod("notes.txt", 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"empty":     "no application in empty: looked for manage.py with a project, app.py, main.py,",
		"site":      "no application in site: looked for manage.py with a project",
		"gone.py":   "gone.py: no such file or directory",
		"./gone":    "./gone: no such file or directory",
		"notes.txt": "notes.txt is neither Python nor a program that can be run: chmod +x notes.txt",
	} {
		if app, err := Find(name, Options{Getenv: nothing}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %+v, %v", name, app, err)
		}
	}
	if _, err := Find("a:b", Options{Python: folder + "/python", Getenv: nothing}); err == nil ||
		!strings.Contains(err.Error(), "--python "+folder+"/python: no such file") {
		t.Error(err)
	}
}

func TestPythonIsThatOfTheVirtualEnvironment(t *testing.T) {
	folder := write(t, map[string]string{"active/bin/python": "", "venv/bin/python": "", "shop/.venv/bin/python": "",
		"bin/python3": ""})
	for _, test := range []struct{ active, app, want string }{
		{folder + "/active", "shop", "active/bin/python"}, {folder + "/gone", "shop", "shop/.venv/bin/python"},
		{"", "shop", "shop/.venv/bin/python"}, {"", ".", "venv/bin/python"},
	} {
		got, err := FindPython(test.app, func(string) string { return test.active })
		if err != nil || got != filepath.Join(folder, test.want) {
			t.Errorf("%+v: %s, %v", test, got, err)
		}
	}
	t.Chdir("bin")
	t.Setenv("PATH", folder+"/bin")
	if got, err := FindPython(".", nothing); err != nil || got != folder+"/bin/python3" {
		t.Error(got, err)
	}
	t.Setenv("PATH", "")
	if got, err := FindPython(".", nothing); err == nil {
		t.Error(got)
	}
}

func TestChangesAreThoseOfSources(t *testing.T) {
	folder := write(t, map[string]string{"a.py": "", "deep/b.py": "", "node_modules/c.py": "", ".git/d.py": "",
		"env/pyvenv.cfg": "", "env/e.py": "", "page.html": "", "notes.txt": ""})
	w, err := newWatcher(folder, []string{"*.py", "*.html"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.files.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	touch := func(names ...string) {
		for _, name := range names {
			if err := os.WriteFile(name, []byte(time.Now().String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		change func()
		want   string
	}{
		{func() { touch("notes.txt", "node_modules/c.py", ".git/d.py", "env/e.py", "a.py") }, "a.py"},
		{func() { touch("deep/b.py", "a.py") }, "deep/b.py"},
		{func() { touch("page.html") }, "page.html"},
		{func() { _ = os.Remove("deep/b.py") }, "deep/b.py"},
		{func() { touch("new.tmp"); _ = os.Rename("new.tmp", "a.py") }, "a.py"}, // as editors do
	} {
		test.change()
		if got, err := w.next(ctx); err != nil || got != test.want {
			t.Errorf("%q, %v; want %s", got, err, test.want)
		}
	}
	if err := os.MkdirAll("new/deep", 0o755); err != nil {
		t.Fatal(err)
	}
	touch("new/deep/f.py") // before or after the new folder is watched
	if got, err := w.next(ctx); err != nil || got != "new/deep/f.py" {
		t.Errorf("%q, %v", got, err)
	}
	touch("new/deep/f.py")
	if got, err := w.next(ctx); err != nil || got != "new/deep/f.py" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheErrorPageIsHTMLForBrowsersAndTextForOthers(t *testing.T) {
	f := &failure{"app:<b>", "exit status 1", "Traceback\n<script>alert(1)</script>"}
	for accept, want := range map[string]string{
		"text/html,*/*": "<pre>Traceback\n&lt;script&gt;alert(1)&lt;/script&gt;</pre>",
		"*/*":           "app:<b> does not serve: exit status 1\n\nTraceback\n<script>",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		page := w.Body.String()
		if w.Code != http.StatusInternalServerError || !strings.Contains(page, want) ||
			strings.Contains(page, "<script>") != strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d, %v, %s", accept, w.Code, w.Header(), page)
		}
	}
}

func TestTheEndOfTheOutputIsKept(t *testing.T) {
	var all strings.Builder
	out := &tail{to: &all}
	for range 10 {
		_, _ = out.Write([]byte(strings.Repeat("x", tailBytes/4)))
	}
	_, _ = out.Write([]byte("end"))
	if text := out.text(); len(text) != tailBytes || !strings.HasSuffix(text, "xend") || all.Len() != tailBytes/4*10+3 {
		t.Errorf("%d bytes are kept, %d passed on", len(text), all.Len())
	}
}
