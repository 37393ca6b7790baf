package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// good parses a text in which nothing may be wrong.
func good(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("upload-response.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhatStandsInAFileIsRead(t *testing.T) {
	dir := t.TempDir()
	f := good(t, `
listen: [http://:80, https://:443]
tls: {acme: {domains: [www.example.org], email: ops@example.org}}
memory: 512MiB
apps:
  web:
    python: shop.wsgi:app
    interface: wsgi
    directory: `+dir+`
    environment: {DJANGO_SETTINGS_MODULE: shop.settings, DEBUG: 0, "Y": yes}
    user: root
    processes: {min: 2, max: 16, scale-up-when: queue-wait > 80ms, idle: 45s}
    threads: 8
    start: {timeout: 90s, give-up-after: 3}
    recycle: {requests: 10000, jitter: 20%, lifetime: 12h, memory: 512MiB}
    stuck: {after: 40s, stacks: false, then: replace}
    stop: {timeout: 20s}
    watch: ["**/*.py"]
    limits: {nofile: 65536, memory: 1GiB, cpu: 200%}
  api:
routes:
  - match: {host: www.example.org, path: /static/*}
    files: {root: `+dir+`, precompressed: [zst, br, gz], expires: 1y}
  - match: {path: /api/*, method: [GET, POST], header: {X-Version: "2"}}
    strip-prefix: /api
    limit: {rate: 100/s, body: 1GiB, by: address}
    app: api
  - match: {path: /old/*}
    redirect: {to: "https://new.example.org$path", status: 308}
  - app: web
log: {level: warn, access: true}
`)
	web, api := f.Apps["web"], f.Apps["api"]
	for _, pair := range [][2]any{
		{f.Listen, []string{"http://:80", "https://:443"}},
		{f.TLS.ACME.Domains, []string{"www.example.org"}},
		{f.Memory.Total.Bytes(), uint64(512 << 20)},
		{web.Environment, map[string]string{"DJANGO_SETTINGS_MODULE": "shop.settings", "DEBUG": "0", "Y": "yes"}},
		{web.Processes, Processes{1, 2, 16, QueueWait(80 * time.Millisecond), Duration(45 * time.Second)}},
		{web.Start, Start{Duration(90 * time.Second), 3}},
		{web.Recycle, Recycle{10000, 0.2, Duration(12 * time.Hour), 512 << 20}},
		{web.Stuck, Stuck{Duration(40 * time.Second), false, "replace"}},
		{web.Limits, ProcessLimits{65536, 1 << 30, 2}},
		{web.argv(), []string{"python3", "-m", "upload_response", "wsgi", "shop.wsgi:app", "--threads", "8",
			"--graceful-timeout", "20"}},
		{api.Processes.Fixed, 1}, {api.argv(), []string(nil)},
		{f.Routes[0].Files.Expires, Duration(365 * 24 * time.Hour)},
		{f.Routes[1].Match, Match{nil, []string{"/api/*"}, []string{"GET", "POST"},
			map[string]string{"X-Version": "2"}}},
		{f.Routes[1].Limit, RouteLimit{100, 0, "address", 1 << 30}},
		{f.Routes[2].Redirect, Redirect{"https://new.example.org$path", 308}},
		{f.Routes[3].App, "web"}, {f.Log.Level, "warn"}, {f.Log.Access.Enabled, true}, {f.Log.Format, "text"},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%v, want %v", pair[0], pair[1])
		}
	}
}

func TestAValueInPlaceOfASectionIsThatOfItsMainKey(t *testing.T) {
	f := good(t,
		"{listen: ':8080', apps: {web: {command: \"sh -c 'sleep 9' a\\\\ b\", processes: 3}}, compress: true,\n"+
			"routes: [{match: {path: /x}, redirect: /y}, {match: {path: /up}, respond: 204}, {app: web, files: .}]}")
	if !slices.Equal(f.Listen, []string{":8080"}) || f.Apps["web"].Processes.Fixed != 3 || !f.Compress.Enabled {
		t.Errorf("%+v", f)
	}
	if !slices.Equal(f.Apps["web"].Command, []string{"sh", "-c", "sleep 9", "a b"}) {
		t.Errorf("%q", f.Apps["web"].Command)
	}
	if f.Routes[2].Files.Root != here(t) || f.Routes[0].Redirect.To != "/y" || f.Routes[1].Respond.Status != 204 {
		t.Errorf("%+v", f.Routes)
	}
}

// here returns the working folder.
func here(t *testing.T) Path {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return Path(dir)
}

func TestARouteSaysWhatIsServedAgain(t *testing.T) {
	both := server.DefaultRetries()
	for text, want := range map[string]*server.Retries{
		"":                            nil,
		"retry: ,":                    &both,
		"retry: 1,":                   &both,
		"retry: 0,":                   {OnRefused: true},
		"retry: {on: []},":            {Times: 1},
		"retry: {on: refused},":       {OnRefused: true, Times: 1},
		"retry: {on: died},":          {OnDied: true, Times: 1},
		"retry: {on: [], times: 0},":  {},
		"retry: {on: [died], <<: {}}": {OnDied: true, Times: 1},
	} {
		f := good(t, "apps: {web: {command: sh}}\nroutes: [{app: web, "+text+"}]")
		if got := f.ServerRoutes()[0].Retries; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestARouteBehindOneThatTakesLessIsNoMistake(t *testing.T) {
	for _, two := range [][2]string{
		{"path: /a", "path: [/a, /b]"}, {"path: /a/*", "path: /ab"}, {"path: /a, method: GET", "path: /a"},
		{"path: /a, host: x", "path: /a"}, {"path: /a, header: {A: b}", "path: /a"}, {"path: '/*/a'", "path: /b/a/c"},
		{"host: '*.example.org'", "host: example.org"}, {"path: '*.php'", "path: /a.html"},
	} {
		good(t, "routes: [{match: {"+two[0]+"}, respond: 204}, {match: {"+two[1]+"}, respond: 203}]")
	}
}

func TestJSONIsAConfiguration(t *testing.T) {
	f := good(t, `{"apps": {"web": {"command": ["sh"], "environment": {"A": "1"}}},
		"limits": {"rate": 5, "body": 1048576}, "timeouts": {"idle": "1m30s"}}`)
	if f.Limits.Rate != 5 || f.Limits.Body != 1<<20 || time.Duration(f.Timeouts.Idle) != 90*time.Second {
		t.Errorf("%+v", f.Limits)
	}
}

func TestAnchorsAndMergesAreFollowed(t *testing.T) {
	f := good(t, `
x-common: &common {processes: 3, recycle: {requests: 5}}
apps:
  a: {<<: *common, command: [sh]}
  b: {command: [sh], <<: [*common, {watch: x}], processes: 4}
routes: [{app: b, match: {path: &path /b}}, {app: a, match: {path: [*path, /c]}}]
`)
	a, b := f.Apps["a"], f.Apps["b"]
	if a.Processes.Fixed != 3 || b.Processes.Fixed != 4 || b.Recycle.Requests != 5 || !slices.Equal(b.Watch,
		[]string{"x"}) {
		t.Errorf("%+v\n%+v", a, b)
	}
	if !slices.Equal(f.Routes[1].Match.Path, []string{"/b", "/c"}) {
		t.Errorf("%+v", f.Routes[1].Match)
	}
}

// A mistake is found at the place of its caret, ^, which stands below the line before it.
func TestEachMistakeIsShownAtItsPlaceWithWhatToDo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, place, message string }{
		{"lisen: :80", "1:1", "unknown key lisen: did you mean listen?"},
		{"apps:\n  web:\n    comand: [sh]", "3:5", "unknown key comand: did you mean command?"},
		{"apps: {web: {command: sh, workers: 4}}", "1:27", "unknown key workers: did you mean processes?"},
		{"apps: {web: {command: sh, give_up_after: 4}}", "1:27",
			"unknown key give_up_after: it is a key elsewhere, apps.NAME.start.give-up-after"},
		{"routes:\n- strip_prefix: /a\n  respond: 204", "2:3", "unknown key strip_prefix: did you mean strip-prefix?"},
		{"log: {zzzzzzzzz: 1}", "1:7", "unknown key zzzzzzzzz: want level, format, file, access or workers"},
		{"threads: 3", "1:1", "unknown key threads: it is a key elsewhere, apps.NAME.threads"},
		{"apps: {web: {processes: four, command: sh}}", "1:25", `want a whole number, not "four"`},
		{"apps: {web: {processes: '4', command: sh}}", "1:25", `want a whole number, not the text "4"`},
		{"apps: {web: {processes: -1, command: sh}}", "1:25", `want a whole number, not "-1"`},
		{"apps: {web: {processes: 0, command: sh}}", "1:25", "want at least 1 process"},
		{"apps: {web: {processes: {min: 5, max: 2}, command: sh}}", "1:39", "max 2 is less than min 5"},
		{"apps: {web: {processes: {min: 5}, command: sh}}", "1:31", "min needs max"},
		{"apps: {web: {processes: {idle: 5s}, command: sh}}", "1:32",
			"idle needs max: the number of processes is fixed"},
		{"apps: {web: {processes: {max: 4, scale-up-when: load > 3}, command: sh}}", "1:49",
			"scale-up-when: want a condition such as queue-wait > 50ms"},
		{"apps: [web]", "1:7", "want keys and values, not a list"},
		{"listen: {a: b}", "1:9", "want a list, not keys and values"},
		{"routes: {app: web}", "1:9", "want a list, not keys and values"},
		{"compress: yes", "1:11", `want true or false, not "yes"`},
		{"timeouts: {idle: 30}", "1:18", "idle: want a duration such as 30s, 500ms, 12h or 7d"},
		{"memory: lots", "1:9", "memory: want a size such as 65536, 64KiB or 256MiB"},
		{"memory: 120%", "1:9", "memory: want a size such as 256MiB, or a part such as 25%"},
		{"listen-mode: 0999", "1:14", "listen-mode: want permissions in octal, such as 0660"},
		{"log: {level: infos}", "1:14", "level: want debug, info, warn or error: did you mean info?"},
		{"limits: {rate: fast}", "1:16", "rate: want a rate such as 100/s or 30/m"},
		{"attach: {uids: [1, -2]}", "1:20", `want the number of a user or group, not "-2"`},
		{"apps: {web: {command: sh}}\nroutes: [{app: wbe}]", "2:16", "there is no app wbe: did you mean web?"},
		{"routes: [{app: web}]", "1:16", "there is no app web: there are no apps"},
		{"apps: {a: {command: sh}, b: {command: sh}}", "1:7", "several apps, and no routes"},
		{"apps: {a: {command: sh}, b: {command: sh}}\nroutes: [{app: a}]", "1:29", "no route leads to app b"},
		{"routes: [{match: {path: /a}}]", "1:10", "the route leads nowhere"},
		{"routes: [{respond: 204, redirect: /b}]", "1:10", "redirect and respond: a route has one answer"},
		{"routes: [{redirect: {status: 301}}]", "1:21", "the key to is missing"},
		{"routes: [{redirect: {to: /a, status: 200}}]", "1:38", "status: want 301, 302, 303, 307 or 308"},
		{"routes: [{match: {path: api}, respond: 204}]", "1:25", "a path begins with / or with *: did you mean /api?"},
		{"routes: [{match: {method: get}, respond: 204}]", "1:27", "want a method in capitals, such as GET"},
		{"routes: [{limit: {rate: 1/s, by: ip}, respond: 204}]", "1:34", "want address, or header:"},
		{"routes: [{limit: {burst: 4}, respond: 204}]", "1:26", "burst needs rate"},
		{"routes: [{retry: 0, respond: 204}]", "1:18", "retry is about the workers of an app"},
		{"apps: {a: {command: sh}}\nroutes: [{retry: {on: died, times: 0}, app: a}]", "2:36",
			"on has died, and times is 0: remove one of them"},
		{"apps: {a: {command: sh}}\nroutes: [{retry: 2, app: a}]", "2:18", "times: want 0 or 1"},
		{"apps: {a: {command: sh}}\nroutes: [{retry: {on: [refuse]}, app: a}]", "2:24",
			"on: want refused or died: did you mean refused?"},
		{"routes: [{name: a, respond: 204}, {name: a, respond: 204}]", "1:42", "route 1 has this name, too"},
		{"routes: [{files: " + dir + "/gone}]", "1:18", dir + "/gone: no such file or directory"},
		{"routes: [{files: " + dir + "/plain}]", "1:18", dir + "/plain is not a folder"},
		{"errors: {format: xml}", "1:18", "format: want auto, json, html or text"},
		{"errors: {pages: {5xx: " + dir + "/gone.html}}", "1:23", "no such file"},
		{"errors: {pages: {600: " + dir + "/plain}}", "1:23", ""},
		{"routes: [{respond: 204}, {match: {path: /a}, redirect: /b}]", "1:26", "route 2 never gets a request"},
		{"routes: [{match: {path: [/a, /b]}, respond: 204}, {match: {path: /a}, respond: 203}]", "1:51",
			"route 2 never gets a request, since route 1 takes all of them: move it further up, or remove it"},
		{"routes: [{match: {path: /a/*}, respond: 204}, {match: {path: /a/b/*, method: GET}, respond: 203}]", "1:47",
			"route 2 never gets a request"},
		{"routes: [{match: {header: {'a b': c}}, respond: 204}]", "1:35", "want the name of a header field"},
		{"routes: [{match: {path: /a}, redirect: https://$hots}]", "1:10", "$hots"},
		{"routes: [{match: {path: /a*b}, respond: 204}]", "1:10", "/a*b"},
		{"apps: {web: {command: a > b}}", "1:23", "command: no shell runs this, so that > has no meaning"},
		{"apps: {web: {command: sh, user: no-such-user}}", "1:33", "user: there is no user no-such-user"},
		{"apps: {web: {command: sh, user: 70001}}", "1:33", "user: no user has the number 70001"},
		{"apps: {web: {command: sh, isolation: true}}", "1:27", "unknown key isolation: did you mean sandbox?"},
		{"apps: {web: {command: sh, sandbox: on}}", "1:36", `want true or false, not "on"`},
		{"apps: {web: {command: sh, sandbox: {rw: [/tmp]}}}", "1:37", "unknown key rw: did you mean write?"},
		{"apps: {web: {command: sh, sandbox: {read: [/usr, " + dir + "/gone]}}}", "1:50",
			dir + "/gone: no such file or directory: what a sandbox opens has to exist"},
		{"apps: {web: {command: sh, sandbox: {connect: [postgres]}}}", "1:47",
			"connect[0]: want the number of a TCP port"},
		{"apps: {web: {command: sh, sandbox: {bind: 65536}}}", "1:43", "want the number of a TCP port, 0 to 65535"},
		{"apps: {web: {sandbox: true}}", "1:23", "sandbox is about processes, and app web has none"},
		{"apps: {web: {command: [" + dir + "/gone]}}", "1:24",
			"cannot execute " + dir + "/gone: no such file or directory"},
		{"apps: {web: {command: " + dir + "/plain}}", "1:23", "cannot execute " + dir + "/plain: permission denied"},
		{"apps: {web: {command: no-such-program}}", "1:23",
			"cannot execute no-such-program: executable file not found"},
		{"apps: {web: {command: []}}", "1:23", "want a program"},
		{"apps: {web: {command: 'a \"b'}}", "1:23", "command: a quote is not closed"},
		{"apps: {web: {command: [sh, {}]}}", "1:28", "want a text, not keys and values"},
		{"apps: {web: {command: {}}}", "1:23", "want a program and its arguments"},
		{"apps: {web: {command: sh, python: a:b}}", "1:35", "app web has a command, too"},
		{"apps: {web: {processes: 4}}", "1:25", "processes is about processes, and app web has none"},
		{"apps: {web: {python: shop}}", "1:22", "want MODULE:ATTRIBUTE or MODULE:FACTORY()"},
		{"apps: {web: {python: shop:app, interface: native}}", "1:22", "want the name of a module to run"},
		{"apps: {web: {python: shop:app, interface: asgi, threads: 3}}", "1:58",
			"threads are those of a WSGI application"},
		{"apps: {web: {command: sh, virtualenv: .venv}}", "1:39", "virtualenv needs python"},
		{"apps: {web: {python: 'shop:app', virtualenv: " + dir + "}}", "1:46",
			"cannot execute " + dir + "/bin/python3"},
		{"apps: {web: {directory: " + dir + "/gone, command: sh}}", "1:25", dir + "/gone: no such file or directory"},
		{"apps: {web: {command: sh, environment: {'A=B': c}}}", "1:48", `"A=B" cannot be the name of a variable`},
		{"apps: {web: {command: sh, watch: ['*.py', '[']}}", "1:43", `"[" is no pattern of files: want one such as`},
		{"apps: {'a b': {command: sh}}", "1:15", "the name of an app is 1 to 64 of"},
		{"tls: {certificates: [{cert: " + dir + "/plain, key: " + dir + "/gone}]}", "", dir + "/gone: no such file"},
		{"tls: {certificates: [{cert: a.pem}]}", "1:22", "the key key is missing"},
		{"tls: {client-ca: " + dir + "}", "1:18", dir + " is a folder"},
		{"apps: {web: !!str x}", "1:13", "tags such as !!str mean nothing here"},
		{"apps: {web: *x}", "1:13", "no anchor &x stands before this alias"},
		{"apps: {web: {<<: 3}}", "1:18", `<< merges keys and values, not "3"`},
		{"memory: 1MiB\nmemory: 2MiB", "2:1", "the key memory stands in line 1, too: remove one of them"},
		{`{"memory": "1MiB", "memory": "2MiB"}`, "1:20", "the key memory stands in line 1, too"},
		{"memory: 1MiB\n---\nmemory: 2MiB", "3:1", "a second document"},
		{"apps:\n\tweb: 1", "2:1", "a tab: YAML takes spaces only"},
		{"apps: {web: ", "", "want a value, or a } that closes a {"},
		{"a: " + strings.Repeat("[", 100000), "1:36", "more than 32 values inside each other"},
		{"a: {b: " + strings.Repeat("{a: ", 40) + strings.Repeat("}", 41), "", "more than 32 values inside each other"},
		{strings.Repeat("- ", 100000), "", "more than 32 values inside each other"},
		{strings.Repeat("? ", 100000), "", "more than 32 values inside each other"},
		{"listen: &a [*a]", "1:12", "want a text, not a list"},
		{strings.Repeat("#", mostBytes+1), "", "the file is longer than 1048576 bytes"},
		{"listen: [", "1:9", "a [ is not closed: add a ]"},
		{"listen: [a, b", "1:9", "a [ is not closed: add a ]"},
		{"listen: [a b: c: d]", "", "want "},
		{"log: {level: info", "1:6", "a { is not closed: add a }"},
		{"log: {level: info]", "", ""},
		{"log: level: info", "1:6", "want a value in one line, or keys that are indented"},
		{"log:\n  level: info\n format: json", "", "want "},
		{"log:\n  level:info", "", "want "},
		{"log:\n  level: \"info", "2:10", "a quote is not closed"},
		{"log:\n  file: \"C:\\q\"", "2:13", "a backslash is written"},
		{"log: {file: @x}", "", "no value begins so: put it in quotes"},
		{"log: {file: `x`}", "", "no value begins so: put it in quotes"},
		{"log: {file: %x}", "", ""},
		{"&: x", "", ""}, {"log: *", "", ""}, {": x", "", ""}, {"- a: b", "1:1", "want keys and values, not a list"},
		{"log:\n  level: info\n\xff\xfe: b", "3:1", "the byte 0xff is not UTF-8: save the file as UTF-8"},
		{"\xff\xfel\x00o\x00g\x00", "0:0", "this is UTF-16: save the file as UTF-8"},
		{"log: {file: a\x00b}", "1:14", "the control character U+0000 has no place here: remove it"},
		{"socket: a\x1bb", "1:10", "the control character U+001B has no place here"},
		{"42", "1:1", `want keys and values, not "42"`},
	} {
		_, err := Parse("upload-response.yaml", []byte(test.text))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%.90q: %v, want %s", test.text, err, test.message)
			continue
		}
		p := problems[0]
		if place := fmt.Sprintf("%d:%d", p.Line, p.Column); !strings.Contains(p.Message, test.message) ||
			test.place != "" && place != test.place {
			t.Errorf("%.90q:\n%s: %s, want\n%s: %s", test.text, place, p.Message, test.place, test.message)
		}
		if len(p.Excerpt) > 4*excerptWidth || p.Line > 0 && p.Column <= excerptWidth && !strings.Contains(p.Excerpt,
			"^") {
			t.Errorf("%.90q: excerpt of %d bytes:\n%.900s", test.text, len(p.Excerpt), p.Excerpt)
		}
	}
}

func TestAllMistakesAreShownAtOnceEachWithItsLine(t *testing.T) {
	_, err := Parse("my.yaml", []byte("# mine\nlisten: :80\nlog:\n  lvel: info\n  format: jason\n"))
	want := `my.yaml:4:3: unknown key lvel: did you mean level?
     2 | listen: :80
     3 | log:
>    4 |   lvel: info
       |   ^
     5 |   format: jason

my.yaml:5:11: format: want text or json: did you mean json?
     3 | log:
     4 |   lvel: info
>    5 |   format: jason
       |           ^`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

func TestWhatCannotBeReadHidesNoMistakeElsewhere(t *testing.T) {
	_, err := Parse("my.yaml", []byte(`apps:
  web: {comand: [sh], threads: 4}
  api: {command: [sh], threads: 4}
routes:
- {ap: web}
- {app: wbe, match: {path: api}}
- {app: api}
- {match: {path: /x}}
limits: {rate: fast}
tls: {client-ca: /nowhere/ca}
`))
	var got []string
	var problems Problems
	_ = errors.As(err, &problems)
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message))
	}
	want := []string{
		"2:9: unknown key comand: did you mean command?", "3:33: threads needs python",
		"5:4: unknown key ap: want name, match, strip-prefix, limit, retry, app, files, redirect or respond",
		"6:9: there is no app wbe: did you mean web?",
		"6:28: a path begins with / or with *: did you mean /api?",
		"8:3: the route leads nowhere: give it app, files, redirect or respond",
		"9:16: rate: want a rate such as 100/s or 30/m", "10:18: /nowhere/ca: no such file or directory",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := Parse("my.yaml", []byte("aps: {web: {command: [sh]}}\nroutes: [{app: web}]")); strings.Contains(
		fmt.Sprint(err), "no app") {
		t.Errorf("what follows from a mistake is a mistake, too: %v", err)
	}
}

func TestAliasesCannotMakeAFileGrowWithoutBound(t *testing.T) {
	text := "x-a: &a [l, l, l, l, l, l, l, l, l, l]\n"
	for c := 'b'; c < 'k'; c++ {
		text += fmt.Sprintf("x-%c: &%[1]c [%s]\n", c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10),
			", "))
	}
	start := time.Now()
	for _, use := range []string{"listen: *j", "apps: {web: {<<: *j}}", "apps: {web: {command: [*j]}}"} {
		if _, err := Parse("", []byte(text+use)); err == nil || len(err.Error()) > 10000 {
			t.Errorf("%s: %.500v", use, err)
		}
	}
	loop := "x-a: &a {<<: *b}\nx-b: &b {<<: *a}\nlog: *b"
	if _, err := Parse("", []byte(loop)); err == nil {
		t.Error("mappings that merge each other are accepted")
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestTheFirstFileThatExistsIsRead(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	before := Names
	Names = []string{"upload-response.yaml", filepath.Join(dir, "etc.yaml")}
	t.Cleanup(func() { Names = before })
	if f, err := Load(""); err != nil || f.Name() != "" || !reflect.DeepEqual(f, Default()) {
		t.Errorf("without a file: %+v, %v", f, err)
	}
	putFile(t, "etc.yaml", "socket: of-etc")
	if f, err := Load(""); err != nil || string(f.Socket) != filepath.Join(dir, "of-etc") {
		t.Errorf("the second: %+v, %v", f, err)
	}
	putFile(t, "upload-response.yaml", "socket: here")
	if f, err := Load(""); err != nil || string(f.Socket) != filepath.Join(dir, "here") {
		t.Errorf("the first: %+v, %v", f, err)
	}
	putFile(t, "other.yaml", "socket: other")
	if f, err := Load("other.yaml"); err != nil || string(f.Socket) != filepath.Join(dir, "other") {
		t.Errorf("a given one: %+v, %v", f, err)
	}
	if _, err := Load("gone.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is gone: %v", err)
	}
	putFile(t, "upload-response.yaml", "sokcet: here")
	if _, err := Load(""); err == nil {
		t.Error("a mistake in the first file is passed over")
	}
}

func putFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzNoTextBringsTheReaderDown(f *testing.F) {
	f.Add("apps: {web: {command: [sh], <<: &a {b: *a}}}\nlisten: [1, ~, !!x y]")
	f.Add("a:\n- b: c\n- \n")
	f.Add("{{},<<}")
	f.Add("routes:\n- ? {a: b}\n  : c\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("fuzz.yaml", []byte(text))
		if file == nil {
			t.Error("no file")
		}
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
