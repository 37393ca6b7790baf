package config

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// someFlags are a few flags with the same defaults as keys of the file.
func someFlags(t *testing.T, env map[string]string, args ...string) *cli.FlagSet {
	t.Helper()
	var text string
	option := func(name, standard string) cli.Option {
		return cli.Option{Name: name, Arg: "X", Default: standard, Parse: cli.Text(&text)}
	}
	listen := option("listen", "127.0.0.1:8080")
	listen.Split = cli.Words
	f := &cli.FlagSet{Command: "serve", Groups: []cli.Group{{Options: []cli.Option{
		listen, option("socket", "/run/x.sock"), option("idle-timeout", "2m0s"), option("queue-timeout", "10s"),
		option("link-memory", "128 slots"), option("memory", "256MiB"), option("access-log", ""),
	}}}}
	if err := f.Parse(args, func(name string) string { return env[name] }); err != nil {
		t.Fatal(err)
	}
	return f
}

const shown = `
listen: [":80", "unix:/run/a b.sock"]
memory: 25%
timeouts:
  idle: 90s
  queue: 5s
apps:
  web:
    command: [sh, -c, "sleep 9"]
    environment: {SECRET_KEY: hunter2, DATABASE: "postgres://me:hunter2@db/x", DEBUG: "1"}
  api: {}
routes:
  - match: {path: /api/*, method: GET}
    app: api
  - app: web
    files: .
`

func TestShowSaysWhereEachValueComesFrom(t *testing.T) {
	f := good(t, shown)
	flags := someFlags(t, map[string]string{"UPLOAD_RESPONSE_IDLE_TIMEOUT": "3m"}, "--queue-timeout", "7s")
	var b bytes.Buffer
	if err := f.Show(&b, flags, false); err != nil {
		t.Fatal(err)
	}
	want := `listen: [":80", unix:/run/a b.sock]         # upload-response.yaml:2
memory: 25%                                  # upload-response.yaml:3
apps:
  api: {}                                    # upload-response.yaml:11
  web:
    command: [sh, -c, sleep 9]               # upload-response.yaml:9
    environment:
      DATABASE: (hidden)                     # upload-response.yaml:10
      DEBUG: "1"                             # upload-response.yaml:10
      SECRET_KEY: (hidden)                   # upload-response.yaml:10
routes:
  - match:
      path: [/api/*]                         # upload-response.yaml:13
      method: [GET]                          # upload-response.yaml:13
    app: api                                 # upload-response.yaml:14
  - app: web                                 # upload-response.yaml:15
    files: ` + string(here(t)) + `            # upload-response.yaml:16
timeouts:
  idle: 3m                                   # UPLOAD_RESPONSE_IDLE_TIMEOUT
  queue: 7s                                  # --queue-timeout
`
	if squeeze(b.String()) != squeeze(want) {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}

// squeeze makes several spaces before a comment one.
func squeeze(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		before, note, found := strings.Cut(line, "  # ")
		b.WriteString(strings.TrimRight(before, " \n"))
		if found {
			b.WriteString(" # " + strings.TrimSpace(note))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestWhatIsInEffectIncludesTheDefaultsAndIsAConfigurationItself(t *testing.T) {
	f := good(t, strings.ReplaceAll(shown, "SECRET_KEY: hunter2, ", ""))
	var b bytes.Buffer
	if err := f.Show(&b, someFlags(t, nil), true); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"idle: 1m30s # upload-response.yaml:5", "response: 30s # default",
		"processes: 1 # default", "socket: /run/x.sock # default", "give-up-after: 6 # default",
		"level: info # default"} {
		if !strings.Contains(squeeze(b.String()), line) {
			t.Errorf("no %q in\n%s", line, b.String())
		}
	}
	if strings.Contains(b.String(), "128 slots") || strings.Contains(b.String(), "hunter2") ||
		strings.Contains(b.String(), "redirect") {
		t.Errorf("too much:\n%s", b.String())
	}
	good(t, b.String())
}

func TestOriginsAreAListForPrograms(t *testing.T) {
	f := good(t, shown)
	list := f.Origins(someFlags(t, nil, "--socket", "/x"), false)
	for _, want := range []Origin{
		{"socket", "/x", "--socket"}, {"timeouts.queue", "5s", "upload-response.yaml:6"},
		{"routes[0].match.path", "[/api/*]", "upload-response.yaml:13"},
		{"apps.web.environment.SECRET_KEY", "(hidden)", "upload-response.yaml:10"},
	} {
		if !slices.Contains(list, want) {
			t.Errorf("no %+v in %+v", want, list)
		}
	}
}

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	for _, text := range []string{
		shown, "", "listen-mode: 0660\nlimits: {rate: 30/m, body: 1GiB}\ncompress: {enabled: true, min: 5}",
		"apps: {a: {command: [sh, 'x: y', '- z', '#', \"1\\n2\", '', ' a', 'true', '&b', '*c', 'd:', \"e\\te\"]}}",
		"apps: {a: {python: 'm:f()', interface: wsgi, processes: {max: 3}, environment: {A: '1', B: 'yes', C: ''}}}",
		"routes: [{name: x, match: {header: {A: '*', b: '2'}, host: '*.example.org'}, " +
			"respond: {status: 404, body: no}},\n" +
			"{redirect: 'https://a$path$query'}]",
		"proxies: {trust: ['fd00::/8', unix]}\ntls: {alt-svc: 'h3=\":443\"; ma=5'}",
	} {
		f := good(t, text)
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		back := good(t, b.String())
		for _, file := range []*File{f, back} {
			file.text, file.places, file.problems = nil, nil, nil
		}
		if !reflect.DeepEqual(f, back) {
			t.Errorf("%s\nwritten as\n%s\nis\n%+v\nwant\n%+v", text, b.String(), back, f)
		}
	}
}

func TestTheSettingsOfAFileAreThoseOfFlags(t *testing.T) {
	f := good(t, `
listen: [":80", "unix:/x"]
memory: {total: 64MiB, link: 1MiB}
limits: {rate: 120/m, body: 1GB}
timeouts: {idle: 1d}
tls: {http3: false, certificates: [{cert: /etc/hostname, key: /etc/hosts}]}
apps:
  a: {command: sh, attach: {uids: [5, 6], others: true}}
attach: {gids: 7}
log: {access: true}
`)
	got := map[string][]string{}
	for _, s := range f.Settings() {
		for _, v := range s.Values {
			if f.place(v.Key) == nil {
				t.Errorf("%s of %s has no place", v.Key, s.Flag)
			}
			got[s.Flag] = append(got[s.Flag], v.Text)
		}
	}
	if want := (map[string][]string{
		"listen": {":80", "unix:/x"}, "memory": {"67108864"}, "link-memory": {"1048576"}, "request-rate": {"2"},
		"body-limit": {"1000000000"}, "idle-timeout": {"24h0m0s"}, "http3": {"false"},
		"allow-uid": {"a=5", "a=6"}, "open-pool": {"a"}, "allow-gid": {"7"},
		"access-log": {"true"},
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v\nwant\n%v", got, want)
	}
	if FlagKeys()["idle-timeout"] != "timeouts.idle" || FlagDefaults()["idle-timeout"] != (2*time.Minute).String() {
		t.Errorf("%v\n%v", FlagKeys(), FlagDefaults())
	}
}
