package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

// asProgram makes the test binary behave as the program: tests that need real
// processes run themselves.
const asProgram = "TEST_AS_UPLOAD_RESPONSE"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "":
	case asFragileWorker:
		runFragileWorker()
	default:
		main()
	}
	flag.Parse()
	_ = flag.Set("test.parallel", "5") // they wait for processes more than they compute
	if os.Getenv("GORACE") == "" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // the processes end without a second of sleep
	}
	os.Exit(m.Run())
}

// call runs the program in this process and returns what it printed and its
// exit status.
func call(env map[string]string, args ...string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	p := &program{stdout: &out, stderr: &err, getenv: func(name string) string { return env[name] }}
	status = p.main(args)
	return out.String(), err.String(), status
}

// patience is how long anything may take before it counts as hung: several tests run at once.
const patience = time.Minute

// eventually fails the test unless ok returns true within a generous time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestMistakeIsOneLineWithAHintAndStatus2(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"", "no command: want run, serve, check, config, worker, demo, doctor, reload, upgrade, stop, status, top, " +
			"workers, streams, cancel, restart, scale, drain, undrain, stacks, logs, web, " +
			"layout, version, completion or man " +
			"(see 'upload-response --help')"},
		{"serv", `unknown command "serv": did you mean serve? (see 'upload-response --help')`},
		{"nothing", `unknown command "nothing": want run,`},
		{"help nothing", `unknown command "nothing": want run,`},
		{"serve --lisen :1", "unknown flag --lisen: did you mean --listen? (see 'upload-response serve --help')"},
		{"serve -lisen :1", "unknown flag --lisen: did you mean --listen?"},
		{"serve --respons_timeout 1s", "unknown flag --respons_timeout: did you mean --response-timeout?"},
		{"serve -x", "unknown flag -x (see"},
		{"--foo", "unknown flag --foo (see 'upload-response --help')"},
		{"worker ecko", `unknown worker "ecko": did you mean echo?`},
		{"serve --foo", "unknown flag --foo (see 'upload-response serve --help')"},
		{"serve --listen", "--listen needs a value"},
		{"serve extra", `unexpected argument "extra"`},
		{"serve --listen 80x", `--listen "80x": want HOST:PORT, https://HOST:PORT, unix:PATH`},
		{"serve --listen $PORT", `--listen "$PORT": the variable PORT is not set`},
		{"serve --watch [", `--watch "[": want a pattern of files, such as '**/*.py'`},
		{"serve --listen unix:", "want unix: and a path of 1 to 107 bytes"},
		{"serve --listen :1 --listen :1", `--listen ":1": given twice`},
		{"serve --listen https://:8443",
			"needs a certificate: give --tls-cert and --tls-key, --acme-domain, or --tls-self-signed for development"},
		{"serve --tls-self-signed", "a certificate needs an address that uses it: give --listen https://HOST:PORT"},
		{"serve --listen https://:8443 --tls-cert c.pem", "--tls-cert and --tls-key go together"},
		{"serve --listen https://:8443 --tls-cert c.pem --tls-key k.pem --tls-self-signed",
			"--tls-cert, --tls-self-signed and --acme-domain exclude each other: give only one of them"},
		{"serve --listen https://:8443 --acme-domain Example",
			`--acme-domain "Example": want the name of a host, in lower case, such as www.example.org`},
		{"serve --listen https://:8443 --acme-domain a.example --tls-client-ca x",
			"--tls-client-ca and --acme-domain exclude each other: the authority connects as a client"},
		{"serve --trust-proxy 10.0.0.0/40",
			`--trust-proxy "10.0.0.0/40": want an address or a network such as 10.0.0.0/8 or fd00::/8, or unix`},
		{"serve --proxy-protocol", "--proxy-protocol needs --trust-proxy, which says whose headers to believe"},
		{"serve --alt-svc 0", `--alt-svc "0": want auto, off, a port, or a value such as h3=":443"; ma=86400`},
		{"serve --alt-svc h3", `--alt-svc "h3": want auto, off, a port,`},
		{"serve --open-pool default", "--open-pool default: a pool without --worker is open anyway"},
		{"serve --worker-user root", "--worker-user is the user of each --worker: give --worker, too"},
		{"serve --worker default=x --worker-user nosuchuser",
			`--worker-user "nosuchuser": there is no user nosuchuser`},
		{"serve --allow-uid other=1000", "no route leads to pool other, add --route PREFIX=other"},
		{"serve --allow-uid default=x", `--allow-uid "default=x": want a whole number from 0 to 4294967295`},
		{"serve --worker default=x --workers 3 --links-per-pool 2",
			"3 worker processes of one pool, but --links-per-pool 2"},
		{"serve --worker default=x --workers 3 --links-per-user 2",
			"3 worker processes of one user, but --links-per-user 2"},
		{"serve --listen-mode 999", `--listen-mode "999": want permissions in octal, such as 0660`},
		{"serve --slot-size 100", `--slot-size "100": want a multiple of 4KiB, from 4KiB to 4MiB`},
		{"serve --slot-size-kb 64KiB", `--slot-size-kb "64KiB": want a multiple of 4KiB, from 4KiB to 4MiB`},
		{"serve --memory lots", `--memory "lots": want a size such as 65536, 64KiB or 1MiB`},
		{"serve --memory 4MiB",
			"--memory 4MiB is too little: half of it is for responses, and one link takes 8MiB (--link-memory)"},
		{"serve --memory 1MiB --link-memory 64KiB --num-streams 100000",
			"--memory 1MiB, half of it for requests: 524288 bytes are too few for 100000 streams"},
		{"serve --num-streams 0", `--num-streams "0": want a whole number from 1 to 1048576`},
		{"serve --response-timeout 30",
			`--response-timeout "30": want a duration such as 30s, 500ms or 2m, at least 1ms`},
		{"serve --header-limit 1MiB",
			"--header-limit 1MiB: the headers have to fit into one slot of 64KiB (--slot-size)"},
		{"serve --route media=x", `--route "media=x": want PREFIX=POOL, such as /media=transcode`},
		{"serve --route /a=x --route /a=y", `--route "/a=y": this prefix leads to pool x already`},
		{"serve --worker ./x", `--worker "./x": want POOL=COMMAND, such as 'default=./worker --fast'`},
		{"serve --worker x=./x", "--worker x=...: no route leads to pool x, add --route PREFIX=x"},
		{"serve --workers 2", "give --worker, too"},
		{"serve --worker default=./x --workers 17",
			"17 worker processes, but room for 16: raise --max-links (64) or --memory " +
				"(256MiB, half of it for responses), " +
				"or lower --link-memory (8MiB)"},
		{"serve --allow-uid root", `--allow-uid "root": want a whole number from 0 to 4294967295`},
		{"serve --access-log=maybe", `--access-log "maybe": want true or false`},
		{"serve --log-level loud", `--log-level "loud": want debug, info, warn or error`},
		{"serve --socket " + strings.Repeat("x", 108), "want a path of 1 to 107 bytes"},
		{"worker", "no worker: want echo, digest or discard (see 'upload-response worker --help')"},
		{"worker sort", `unknown worker "sort": want echo, digest or discard`},
		{"worker echo --lanes 0",
			`--lanes "0": want a whole number from 1 to 4096 (see 'upload-response worker echo --help')`},
		{"demo --memory 1GiB", "unknown flag --memory (see 'upload-response demo --help')"},
		{"demo --add ./echo", `--add "./echo": want PREFIX=COMMAND, such as /c/echo=./echo`},
		{"demo --add /echo=./echo", `--add "/echo=./echo": there is a worker on /echo already`},
		{"run", "want one application: MODULE:NAME, a file.py, a program, or a folder " +
			"(see 'upload-response run --help')"},
		{"run a.py b.py", "want one application"},
		{"run a.py --interface cgi", `--interface "cgi": want auto, wsgi or asgi`},
		{"layout all", `unexpected argument "all"`},
	} {
		stdout, stderr, status := call(nil, strings.Fields(test.args)...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, printed %q and %q", test.args, status, stdout, stderr)
		}
		if !strings.HasPrefix(stderr, "upload-response: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%q: %q, want %q in it", test.args, stderr, test.want)
		}
	}
}

func TestHelpGoesToStandardOutputAndFits(t *testing.T) {
	for _, args := range []string{"--help", "-h", "help", "help serve", "serve --help", "serve -h", "worker --help",
		"worker digest --help", "demo --help", "layout --help", "version --help",
		"run --help", "serve -help", "serve --help-all",
		"serve --memory 1GiB --help", "help worker digest", "help help"} {
		stdout, stderr, status := call(nil, strings.Fields(args)...)
		if status != 0 || stderr != "" || !strings.HasPrefix(strings.ToLower(stdout), "upload-response") {
			t.Errorf("%q: status %d, printed %q and %q", args, status, stdout, stderr)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 121 {
				t.Errorf("%q: a line of %d characters: %s", args, len(line), line)
			}
		}
	}
}

func TestHelpOfServeNamesEveryFlagAndItsDefault(t *testing.T) {
	stdout, _, _ := call(nil, "serve", "--help-all")
	for _, want := range []string{
		"--listen ADDRESS", "(127.0.0.1:8080)", "--num-streams N", "(100)", "--slot-size SIZE", "(64KiB)",
		"--slots-per-stream N", "(16384)", "--memory SIZE", "(256MiB)", "--response-timeout TIME", "(30s)",
		"UPLOAD_RESPONSE_LISTEN",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestVersionAndLayoutArePrinted(t *testing.T) {
	for _, args := range []string{"version", "--version"} {
		if stdout, _, status := call(nil, args); status != 0 || !strings.HasPrefix(stdout, "upload-response 0.") {
			t.Errorf("%s: %d, %q", args, status, stdout)
		}
	}
	stdout, _, status := call(nil, "layout")
	if status != 0 || !strings.Contains(stdout, "descriptor   number") || !strings.Contains(stdout, "hash 0x") {
		t.Errorf("layout: %d, %q", status, stdout)
	}
}
