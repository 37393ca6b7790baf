package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// inFile writes a configuration into a folder of its own, and returns its name.
func inFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "my.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAServerRunsWhatItsFileSays(t *testing.T) {
	t.Parallel()
	name := inFile(t, `
listen: http://127.0.0.1:0
socket: workers.sock
memory: 64MiB
apps:
  digest: {command: [`+os.Args[0]+`, worker, digest], processes: 2}
  echo: {command: "`+os.Args[0]+` worker 'echo'"}
routes:
  - match: {path: /digest/*, method: [PUT, POST]}
    strip-prefix: /digest
    app: digest
  - match: {path: /old/*}
    redirect: {to: "/new$path", status: 301}
  - match: {path: /up}
    respond: {status: 200, body: all is well}
  - match: {path: /files/*}
    strip-prefix: /files
    files: {root: .}
  - match: {host: echo.example.org}
    app: echo
errors: {format: json}
log: {format: json, access: true}
`)
	p := startProcess(t, "serve", "-c", name)
	url := "http://" + p.found(`"listen":"(127.0.0.1:\d+)"`)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(method, path, host, body string) (int, http.Header, string) {
		t.Helper()
		request, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header, string(text)
	}
	const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc"
	if status, _, text := get("PUT", "/digest/x", "", "abc"); status != 200 || !strings.Contains(text, digest) {
		t.Errorf("digest: %d %q", status, text)
	}
	if status, header, _ := get("GET", "/old/a?b", "", ""); status != 301 || header.Get("Location") != "/new/old/a" {
		t.Errorf("redirect: %d %v", status, header)
	}
	if status, _, text := get("GET", "/up", "", ""); status != 200 || text != "all is well" {
		t.Errorf("response: %d %q", status, text)
	}
	if status, _, text := get("GET", "/files/my.yaml", "", ""); status != 200 || !strings.Contains(text, "64MiB") {
		t.Errorf("file: %d %q", status, text)
	}
	if status, _, text := get("POST", "/any", "echo.example.org", "said"); status != 200 || text != "said" {
		t.Errorf("host: %d %q", status, text)
	}
	if status, header, _ := get("GET", "/any", "", ""); status != 404 ||
		header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("no route: %d %v", status, header)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(name), "workers.sock")); err != nil {
		t.Error(err)
	}
	p.foundIn(&p.out, `"path":"/up"`)
	p.signal(unix.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestFlagsWinOverVariablesAndThoseOverTheFile(t *testing.T) {
	name := inFile(t, `
listen: [":1", ":2"]
timeouts: {idle: 1s, client: 1s, queue: 1s}
apps: {a: {command: sh}, b: {command: sh, processes: 3}}
routes: [{match: {path: /b/*}, app: b}, {app: a}]
`)
	s := parsed(t, map[string]string{
		"UPLOAD_RESPONSE_IDLE_TIMEOUT": "2s", "UPLOAD_RESPONSE_CLIENT_TIMEOUT": "2s", "UPLOAD_RESPONSE_CONFIG": name,
	}, "--client-timeout", "3s", "--worker", "b=cat")
	c := s.config
	if s.listeners.limits.IdleTime != 2*time.Second || c.ClientTimeout != 3*time.Second ||
		c.QueueTime != time.Second || c.PingInterval != 20*time.Second || len(s.listeners.addresses) != 2 {
		t.Errorf("%+v %+v", s.listeners, c)
	}
	slices.SortFunc(s.apps, func(a, b supervise.App) int { return strings.Compare(a.Name, b.Name) })
	if len(s.apps) != 2 || s.apps[0].Command[0] != "sh" || s.apps[1].Command[0] != "cat" || s.apps[1].Processes != 1 {
		t.Errorf("%+v", s.apps)
	}
	s = parsed(t, nil, "-c", name, "--listen", ":3", "--route", "/=a", "--route", "/x=b")
	if len(s.listeners.addresses) != 1 || len(s.config.Routes) != 2 || s.config.Routes[1].Prefix != "/x" {
		t.Errorf("%+v %+v", s.listeners, s.config.Routes)
	}
	stdout, stderr, status := call(map[string]string{"UPLOAD_RESPONSE_IDLE_TIMEOUT": "2s"}, "config", "show", "-c",
		name,
		"--client-timeout", "3s")
	for _, want := range []string{"idle: 2s", "# UPLOAD_RESPONSE_IDLE_TIMEOUT\n", "client: 3s", "# --client-timeout\n",
		"queue: 1s", "# " + name + ":3\n"} {
		if !strings.Contains(stdout, want) || status != 0 || stderr != "" {
			t.Errorf("no %q in %d %q\n%s", want, status, stderr, stdout)
		}
	}
	var list []config.Origin
	callJSON(t, &list, "config", "show", "--json", "--effective", "-c", name)
	if !slices.Contains(list, config.Origin{Key: "timeouts.ping", Value: "20s", Origin: "default"}) {
		t.Errorf("%+v", list)
	}
}

func TestATokenIsShownToNobody(t *testing.T) {
	name := inFile(t, "admin: {token: hunter2-hunter2-hunter2}\n")
	for _, args := range [][]string{nil, {"--admin-token", "hunter2-hunter2-hunter2"}, {"--json"}, {"--effective"}} {
		stdout, stderr, status := call(nil, append([]string{"config", "show", "-c", name}, args...)...)
		if status != 0 || strings.Contains(stdout+stderr, "hunter2") || !strings.Contains(stdout, "(hidden)") {
			t.Errorf("%q: status %d, %s%s", args, status, stdout, stderr)
		}
	}
}

// keyless are flags that have no key, or no single one.
var keyless = []string{"config", "worker", "workers", "worker-user", "route", "open-pool", "tls-cert", "tls-key",
	"slot-size-kb", "response-timeout-ms",
	// of every --worker: keys of apps
	"start-timeout", "give-up-after", "stuck-after", "stuck-stacks", "stop-timeout", "recycle-requests",
	"recycle-lifetime", "recycle-memory", "recycle-jitter", "scale-max", "scale-min", "scale-queue-wait", "scale-idle",
	"limit-nofile", "limit-memory", "limit-cpu", "watch"}

func TestEveryFlagOfTheServerHasAKeyWithTheSameDefault(t *testing.T) {
	var s settings
	flags := s.flags(func(string) string { return "" })
	keys, defaults := config.FlagKeys(), config.FlagDefaults()
	for o := range flags.All() {
		if (keys[o.Name] == "") != slices.Contains(keyless, o.Name) {
			t.Errorf("--%s: key %q", o.Name, keys[o.Name])
		}
	}
	for flag, key := range keys {
		if flags.Option(flag) == nil {
			t.Errorf("%s is set by --%s, which there is not", key, flag)
		}
	}
	var byFlags, byFile settings
	check(t, byFlags.parse(byFlags.flags(nothing), nil, nothing))
	flags = byFile.flags(nothing)
	check(t, flags.Parse(nil, nothing))
	for name, text := range defaults {
		if _, err := flags.Fill(name, "default", text); err != nil {
			t.Errorf("default %s of %s: %v", text, keys[name], err)
		}
	}
	check(t, byFile.finish(flags))
	byFile.file, byFlags.file = nil, nil
	if !reflect.DeepEqual(byFlags, byFile) {
		t.Errorf("defaults of flags\n%+v\nand of keys\n%+v", byFlags, byFile)
	}
}

func nothing(string) string { return "" }

func TestCheckSaysThatAConfigurationIsGoodOrWhatIsWrongWithIt(t *testing.T) {
	cert, key, _ := writeSelfSigned(t)
	good := inFile(t, "listen: https://127.0.0.1:0\ntls: {certificates: [{cert: "+cert+", key: "+key+"}]}\n"+
		"apps: {web: {command: [sh], processes: 2}}\n")
	stdout, stderr, status := call(nil, "check", "-c", good)
	if want := good + ": good (1 route, 1 app with processes, listens on https://127.0.0.1:0)\n"; stdout != want ||
		stderr != "" || status != 0 {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	for _, test := range []struct{ text, want string }{
		{"limits: {headers: 64KiB}\nmemory: {slot: 4KiB}\n",
			":1:19: headers: limits.headers 64KiB: the headers have to fit " +
				"into one slot of 4KiB (memory.slot)\n>    1 | limits: {headers: 64KiB}\n       |                   ^"},
		{"memory: 1MiB\n", ":1:9: memory: memory 1MiB is too little"},
		{"limits: {requests: 0}\n", ":1:20: requests: want a whole number from 1 to"},
		{"listen: [':80', ':80']\n", ":1:17: listen[1]: given twice"},
		{"listen:\n- 127.0.0.1:80\n- ':81'\n- http://0.0.0.0:80\n",
			":4:3: listen[2]: the port is taken already, by 127.0.0.1:80"},
		{"listen: [':80', 'https://:80']\n", ":1:17: listen[1]: the port is taken already, by :80"},
		{"listen: [':80', 'https://:443']\n", "needs a certificate"},
		{"proxies: {trust: [10.0.0.0/8, here]}\n", ":1:31: trust[1]: want an address or a network"},
		{"proxies: {protocol: true}\n", ":1:21: protocol: proxies.protocol needs proxies.trust"},
		{"socket: /nowhere/s\n", ":1:9: socket: socket /nowhere/s: there is no folder /nowhere: make it, or choose"},
		{"listen: ['unix:/nowhere/c']\n", ":1:9: listen: listen /nowhere/c: there is no folder /nowhere"},
		{"log: {file: /nowhere/l}\n", ":1:13: file: log.file /nowhere/l: there is no folder"},
		{"log: {access: {file: /nowhere/l}}\n", ":1:22: file: log.access.file /nowhere/l: there is no folder"},
		{"admin: {listen: 'unix:/nowhere/a'}\n", ":1:17: listen: admin.listen /nowhere/a: there is no folder"},
		{"tls: {self-signed: true}\n", ":1:20: self-signed: tls.self-signed: a certificate needs an address"},
		{"apps: {web: {command: sh, processes: 300}}\n", ":1:7: apps: 300 worker processes, but room for 16: raise"},
		{"log: {levl: info}\n", ":1:7: unknown key levl: did you mean level?"},
		{"listen: https://:0\ntls: {certificates: [{cert: " + key + ", key: " + cert + "}]}", ":2:29: cert: "},
		{"apps: {web: {command: sh, attach: {others: true}}, x: }\nroutes: [{app: web, match: {path: /a}}, {app: x}]" +
			"\nlimits: {links: 1, links-per-user: 5}\napps2: 3", ":4:1: unknown key apps2: did you mean apps?"},
	} {
		name := inFile(t, test.text)
		stdout, stderr, status := call(nil, "check", "-c", name)
		if status == 0 || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%s\nstatus %d, %q\n%s\nwant\n%s", test.text, status, stdout, stderr, test.want)
		}
	}
	if _, stderr, status := call(nil, "check", "-c", "/nowhere.yaml"); status != 1 ||
		!strings.Contains(stderr, "/nowhere.yaml: no such file") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestAClientGetsTheCertificateOfTheNameThatItAsksFor(t *testing.T) {
	t.Parallel()
	firstCert, firstKey, first := writeNamed(t, "first.example.org")
	secondCert, secondKey, second := writeNamed(t, "second.example.org")
	name := inFile(t, `
listen: https://127.0.0.1:0
socket: s
tls:
  certificates:
    - {cert: `+firstCert+`, key: `+firstKey+`}
    - {cert: `+secondCert+`, key: `+secondKey+`}
`)
	p := startProcess(t, "serve", "-c", name)
	address := p.found(`listen=https://(127.0.0.1:\d+)`)
	for server, want := range map[string]string{
		"first.example.org": first, "second.example.org": second, "third.example.org": first, "": first,
	} {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: server})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != want {
			t.Errorf("%q gets the certificate of %s", server, got)
		}
		check(t, c.Close())
	}
	p.signal(unix.SIGHUP)
	p.found(`msg="certificate read" file=` + firstCert)
	p.found(`msg="certificate read" file=` + secondCert)
}

func TestAVariableThatNothingKnowsIsAWarningWithTheNearestName(t *testing.T) {
	t.Setenv("UPLOAD_RESPONSE_IDLE_TIMOUT", "5s")
	t.Setenv("UPLOAD_RESPONSE_POOL", "x")
	_, stderr, status := call(nil, "check", "-c", inFile(t, "{}"))
	if status != 0 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr,
		"name=UPLOAD_RESPONSE_IDLE_TIMOUT did_you_mean=UPLOAD_RESPONSE_IDLE_TIMEOUT") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestAConvertedConfigurationServesTheSameAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"static/a.txt": "a file", "site.conf": `server {
			listen 127.0.0.1:0;
			location /static/ { alias ` + dir + `/static/; }
			location = /up { return 200 "well"; }
			location /old/ { return 301 /new$request_uri; }
			location / { return 404; }
		}`,
	} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	stdout, stderr, status := call(nil, "config", "convert", "--from", "nginx", filepath.Join(dir, "site.conf"))
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, %s", status, stderr)
	}
	p := startProcess(t, "serve", "-c", inFile(t, stdout+"socket: s\n"))
	url := "http://" + p.found(`listen=(127.0.0.1:\d+)`)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]string{"/static/a.txt": "200 a file ", "/up": "200 well ", "/x": "404  ",
		"/old/b?c=d": "301  /new/old/b?c=d"} {
		response, err := client.Get(url + path)
		check(t, err)
		text, err := io.ReadAll(response.Body)
		check(t, err)
		check(t, response.Body.Close())
		if got := fmt.Sprint(response.StatusCode, " ", string(text), " ",
			response.Header.Get("Location")); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestConvertSaysWhatItLeavesOutAndWhatIsMissing(t *testing.T) {
	name := inFile(t, "workers = 3\npreload_app = True\n")
	stdout, stderr, status := call(nil, "config", "convert", "--from", "gunicorn", "--app", "shop:app", name)
	if status != 0 || stderr != "not converted: line 2: preload_app = True\n" ||
		!strings.Contains(stdout, "# not converted: line 2: preload_app = True\n") ||
		!strings.Contains(stdout, "python: shop:app") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	for _, args := range [][]string{{name}, {"--from", "unit"}, {"--from", "apache", name}, {"--from", "unit", name},
		{"--from", "gunicorn", name}, {"--from", "nginx", "/nowhere"}} {
		if stdout, stderr, status := call(nil, append([]string{"config", "convert"}, args...)...); status == 0 ||
			stdout != "" || stderr == "" {
			t.Errorf("%q: status %d, %q, %q", args, status, stdout, stderr)
		}
	}
}

// rewrite changes a file, and has a server read it again.
func rewrite(t *testing.T, p *process, name, text string) {
	t.Helper()
	check(t, os.WriteFile(name, []byte(text), 0o600))
	p.signal(unix.SIGHUP)
}

func TestAReloadChangesWhatTheFileSaysAndFinishesWhatIsRunning(t *testing.T) {
	t.Parallel()
	const begin = "listen: http://127.0.0.1:0\nsocket: s\n"
	command := "{command: [" + os.Args[0] + ", worker, echo]}\n"
	name := inFile(t,
		begin+"apps:\n  first: "+command+"routes:\n- match: {path: /up}\n  respond: {body: one}\n- app: first\n")
	p := startProcess(t, "serve", "-c", name, "--queue-timeout", "20s")
	url := "http://" + p.found(`listen=(127.0.0.1:\d+)`)
	upload, response := beginEcho(t, url+"/echo", "before")
	defer response.Body.Close()

	rewrite(t, p, name, begin+"apps:\n  second: "+command+"routes:\n- match: {path: /up}\n  respond: {body: two}\n"+
		"- app: second\ntimeouts: {queue: 1ms}\n")
	p.found(`msg="configuration read again"`)
	if got := fetchText(t, url+"/up"); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	if got := put(t, url+"/x", []byte("for the second")); string(got) != "for the second" {
		t.Errorf("the new app answers %q", got)
	}
	_, err := upload.Write([]byte("after"))
	check(t, err)
	expectNext(t, response, "after")
	check(t, upload.Close())

	for _, test := range []struct{ text, message string }{
		{begin + "apps: {second: " + command[:len(command)-1] + "}\nroutes: [{app: secnd}]\n", "did you mean second"},
		{begin + "apps: {second: " + command[:len(command)-1] + "}\nmemory: 128MiB\n",
			`:4:9: memory: needs an upgrade`},
		{begin + "apps: {second: " + command[:len(command)-1] + "}\nmemory: {total: 128MiB}\n",
			`:4:17: total: needs an upgrade`},
		{begin + "apps: {second: {command: [/nowhere]}}\n", "cannot execute /nowhere"},
		{"listen: [", "a [ is not closed"},
	} {
		rewrite(t, p, name, test.text)
		p.found(`level=ERROR msg="the configuration stays as it was".*` + regexp.QuoteMeta(test.message))
		if got := fetchText(t, url+"/up"); got != "two" {
			t.Errorf("after a reload that failed: %q", got)
		}
	}
}

// fetchText returns the body of a response.
func fetchText(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	check(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(t, err)
	return string(text)
}

func TestTheSchemaIsPrinted(t *testing.T) {
	if stdout, _, status := call(nil, "config", "schema"); status != 0 || stdout != config.Schema {
		t.Errorf("status %d, %.300q", status, stdout)
	}
}

// writeNamed writes a certificate for the name of a host.
func writeNamed(t *testing.T, host string) (cert, key, name string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host},
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	cert, key = filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return cert, key, host
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
