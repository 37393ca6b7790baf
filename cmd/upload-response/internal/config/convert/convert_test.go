package convert

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

var update = flag.Bool("update", false, "write the results instead of comparing them")

// prepare makes the folder and the files that the examples name.
func prepare(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"venv/bin/python3", "public/sorry.html", "static/x", "app/x", "cert.pem", "key.pem"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConfigurationsOfOthersAreConvertedToGoodOnes(t *testing.T) {
	for _, test := range []struct {
		name, result string
		convert      func(text []byte) (*Result, error)
	}{
		{"unit.json", "unit.yaml", Unit},
		{"gunicorn.conf.py", "gunicorn.yaml", func(text []byte) (*Result, error) { return Gunicorn(text, "") }},
		{"nginx.conf", "nginx.yaml", NGINX},
	} {
		text, err := os.ReadFile("testdata/" + test.name)
		if err != nil {
			t.Fatal(err)
		}
		dir := prepare(t)
		result, err := test.convert([]byte(strings.ReplaceAll(string(text), "DIR", dir)))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got, err := result.Text(test.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse("result.yaml", got); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		there := strings.ReplaceAll(string(got), dir, "DIR")
		if *update {
			if err := os.WriteFile("testdata/"+test.result, []byte(there), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + test.result)
		if err != nil || string(want) != there {
			t.Errorf("%s becomes\n%s\nwant\n%s(%v)", test.name, there, want, err)
		}
	}
}

func TestWhatIsNoConfigurationIsRefused(t *testing.T) {
	for _, text := range []string{"", "{", "[1]"} {
		if r, err := Unit([]byte(text)); err == nil {
			t.Errorf("unit %q: %+v", text, r)
		}
	}
	for _, text := range []string{"", "server {", "events {}", "listen 80;"} {
		if r, err := NGINX([]byte(text)); err == nil {
			t.Errorf("nginx %q: %+v", text, r)
		}
	}
	if r, err := Gunicorn([]byte("workers = 3"), ""); err == nil || !strings.Contains(err.Error(), "--app") {
		t.Errorf("gunicorn without an application: %+v, %v", r, err)
	}
}

func TestOfAGunicornFileOnlyLiteralsAreTaken(t *testing.T) {
	for text, want := range map[string]any{
		`"a"`: "a", `'a' "b"`: "ab", `r"\d"`: `\d`, `u'x'`: "x", `"""a` + "\n" + `b"""`: "a\nb", `"a\"\n"`: "a\"\n",
		"5": 5, "1_000": 1000, "0x10": 16, "-3": -3, "1.5": 1.5, "True": true, "None": nil,
		"[]": []any{}, "[1, 'b',]": []any{1, "b"}, "(1)": 1, "(1,)": []any{1}, "{'a': [1], 2: {}}": map[string]any{
			"a": []any{1}, "2": map[string]any{}},
		"[ # why\n 1,\n 2]": []any{1, 2}, "(\"a\"\n 'b')": "ab", "\\\n 7": 7,
	} {
		list := statements("x = " + text + "\ny = 1\n")
		if len(list) != 2 || list[0].name != "x" || list[0].err != nil || !reflect.DeepEqual(list[0].value, want) {
			t.Errorf("%s: %+v, want %v", text, list, want)
		}
	}
	for _, text := range []string{"f'a'", "a", "1 + 2", "[a]", "int('3')", "'a' % b", "{1, 2}", "'a", `"\x41"`, "[1",
		"",
		"True if a else False", "Truth", strings.Repeat("[", 1000)} {
		list := statements("x = " + text + "\n")
		if len(list) != 1 || list[0].err == nil {
			t.Errorf("%s: %+v", text, list)
		}
	}
	list := statements("def f(a=1):\n  x = 1\n\tx = 2\nif a:\n    y = 2\nelse: y = 3\nz == 4\n")
	for _, s := range list {
		if s.name != "" {
			t.Errorf("%+v is taken", s)
		}
	}
}

func FuzzNothingBringsAConverterDown(f *testing.F) {
	for _, name := range []string{"unit.json", "gunicorn.conf.py", "nginx.conf"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, convert := range []func() (*Result, error){
			func() (*Result, error) { return Unit([]byte(text)) },
			func() (*Result, error) { return Gunicorn([]byte(text), "a:b") },
			func() (*Result, error) { return NGINX([]byte(text)) },
		} {
			result, err := convert()
			if err != nil {
				continue
			}
			written, err := result.Text("a test")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := config.Parse("x.yaml", written); err != nil && strings.Contains(err.Error(), "not YAML") {
				t.Errorf("%v\n%s", err, written)
			}
		}
	})
}

func TestWhatIsGuardedStaysClosed(t *testing.T) {
	for _, text := range []string{
		"server { listen 80; auth_basic staff; location / { proxy_pass http://a; } location /b/ { return 200; } }",
		"server { listen 80; location / { deny all; proxy_pass http://a; } }",
		"server { listen 80; location /c/ { proxy_pass http://a; allow 10.0.0.0/8; } " +
			"location = /d { internal; return 200; } }",
	} {
		result, err := NGINX([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range result.File.Routes {
			if r.Respond.Status != 403 || r.App != "" || r.Files.Root != "" {
				t.Errorf("%s\n%+v", text, r)
			}
		}
		if len(result.File.Routes) == 0 || !strings.Contains(strings.Join(result.Left, "\n"), "all requests get 403") {
			t.Errorf("%s\n%+v", text, result)
		}
	}
}

func TestAccessLogsAreConverted(t *testing.T) {
	nginx := func(log string) func() (*Result, error) {
		return func() (*Result, error) { return NGINX([]byte(log + "\nserver { listen 80; return 204; }")) }
	}
	unit := func(log string) func() (*Result, error) {
		return func() (*Result, error) {
			return Unit([]byte(`{"listeners": {"*:80": {"pass": "routes"}}, "routes": [{"action": {"return": 204}}],
				"access_log": ` + log + `}`))
		}
	}
	gunicorn := func(log string) func() (*Result, error) {
		return func() (*Result, error) { return Gunicorn([]byte(log), "shop:app") }
	}
	for name, test := range map[string]struct {
		convert func() (*Result, error)
		want    config.AccessLog
		left    string // in a line of what is not converted
	}{
		"nginx": {nginx("access_log /var/log/a.log;"),
			config.AccessLog{Enabled: true, Format: "combined", File: "/var/log/a.log"}, ""},
		"nginx, off": {nginx("access_log off;"), config.AccessLog{}, ""},
		"nginx, no such variable": {nginx("log_format x '$upstream_addr'; access_log /dev/stdout x;"),
			config.AccessLog{}, "access_log /dev/stdout x"},
		"nginx, two files": {nginx("access_log a.log; access_log b.log;"),
			config.AccessLog{Enabled: true, Format: "combined", File: "a.log"}, "access_log b.log"},
		"nginx, the common format": {
			nginx(`log_format c '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent';
				access_log /dev/stdout c;`),
			config.AccessLog{Enabled: true, Format: "common"}, ""},
		"Unit": {unit(`"/var/log/a.log"`),
			config.AccessLog{Enabled: true, Format: "combined", File: "/var/log/a.log"}, ""},
		"Unit, a format": {unit(`{"path": "/var/log/a.log", "format": "${method} $request_uri $status"}`),
			config.AccessLog{Enabled: true, Format: "{method} {target} {status}", File: "/var/log/a.log"}, ""},
		"Unit, no such variable": {unit(`{"path": "/var/log/a.log", "format": "$cookie_x"}`),
			config.AccessLog{Enabled: true, Format: "combined", File: "/var/log/a.log"}, "access_log.format"},
		"gunicorn": {gunicorn("accesslog = '-'"), config.AccessLog{Enabled: true, Format: "combined"}, ""},
		"gunicorn, a format": {gunicorn("access_log_format = '%(t)s %(m)s %(U)s'\naccesslog = 'a.log'"),
			config.AccessLog{Enabled: true, Format: "[{time_clf}] {method} {path}", File: "a.log"}, ""},
		"gunicorn, a format alone": {gunicorn("access_log_format = '%(m)s'"), config.AccessLog{}, ""},
		"gunicorn, no such variable": {gunicorn("accesslog = '-'\naccess_log_format = '%({x}i)s'"),
			config.AccessLog{Enabled: true, Format: "combined"}, "access_log_format"},
	} {
		got, err := test.convert()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got.File.Log.Access, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got.File.Log.Access, test.want)
		}
		if left := strings.Join(got.Left, "\n"); !strings.Contains(left, test.left) || test.left == "" && left != "" {
			t.Errorf("%s: not converted: %q, want %q", name, left, test.left)
		}
	}
}

func TestAnErrorPageOfNginxIsTheFileThatItsLocationNames(t *testing.T) {
	dir := prepare(t)
	for _, test := range []struct{ server, file string }{
		{"location = /sorry.html { root DIR/public; }", "DIR/public/sorry.html"},
		{"root DIR/static; location = /sorry.html { root DIR/public; internal; }", "DIR/public/sorry.html"},
		{"location = /sorry.html { alias DIR/public/sorry.html; }", "DIR/public/sorry.html"},
		{"root DIR/public; location = /sorry.html { expires 1m; }", "DIR/public/sorry.html"},
		{"root DIR/public;", "DIR/public/sorry.html"},
		{"location = /other.html { root DIR/public; }", ""},
		{"location = /sorry.html { root $document_root; }", ""},
		{"", ""},
	} {
		text := "server { listen 80; error_page 500 502 /sorry.html; location /up { return 204; } " + test.server + " }"
		result, err := NGINX([]byte(strings.ReplaceAll(text, "DIR", dir)))
		if err != nil {
			t.Fatal(err)
		}
		converted, err := result.Text("nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		_, err = config.Parse("result.yaml", converted)
		if err != nil && !strings.Contains(test.server, "$") { // such a root is no folder
			t.Errorf("%s: %v\n%s", test.server, err, converted)
			continue
		}
		for _, status := range []string{"500", "502"} {
			want := strings.ReplaceAll(test.file, "DIR", dir)
			if got := result.File.Errors.Pages[status]; string(got) != want {
				t.Errorf("%s: the page of %s is %q, want %q", test.server, status, got, want)
			}
		}
		if left := strings.Contains(string(converted), "error_page 500 502 /sorry.html"); left != (test.file == "") {
			t.Errorf("%s: a comment: %t\n%s", test.server, left, converted)
		}
	}
}
