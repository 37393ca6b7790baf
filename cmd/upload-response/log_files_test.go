package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/accesslog"
)

// get makes a request with a User-Agent and a Referer, and returns the status.
func get(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", `a "b"`)
	request.Header.Set("Referer", "https://from.example/")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// awaitLine waits for a line in a file, and returns it.
func awaitLine(t *testing.T, file, pattern string) (line string) {
	t.Helper()
	expression := regexp.MustCompile(`(?m)^.*` + pattern + `.*$`)
	eventually(t, "a line like "+pattern+" in "+filepath.Base(file), func() bool {
		text, _ := os.ReadFile(file)
		line = string(expression.Find(text))
		return line != ""
	})
	return line
}

func TestTheAccessLogHasTheFormatThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"combined": `^127\.0\.0\.1 - - \[../.../....:..:..:.. [+-]....\] "GET /digest/x\?key=1 HTTP/1.1" 200 \d+ ` +
			`"https://from.example/" "a \\x22b\\x22"$`,
		"common": `^127\.0\.0\.1 - - \[.*\] "GET /digest/x\?key=1 HTTP/1.1" 200 \d+$`,
		"text": `^time=\S+ level=INFO msg=exchange method=GET path=/digest/x status=200 received=0 sent=\d+ ` +
			`duration_s=\S+ client=127.0.0.1 stream=\d+ worker=digest/[01] protocol=HTTP/1.1 id=\w{32} app=digest ` +
			`queue_s=\S+ first_byte_s=[0-9.e-]+$`,
		"{app} {route} {method} {target} {status} {reason} {host}": `^digest /digest GET /digest/x\?key=1 200 - ` +
			`127\.0\.0\.1:\d+$`,
	} {
		file := filepath.Join(t.TempDir(), "access.log")
		p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--access-log-file", file,
			"--access-log-format", format)
		url := "http://" + p.found(`msg=ready listen=(\S+)`)
		if got := get(t, url+"/digest/x?key=1"); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
		if line := awaitLine(t, file, "GET"); !regexp.MustCompile(want).MatchString(line) {
			t.Errorf("%s: %s", format, line)
		}
		p.signal(unix.SIGTERM)
		p.wait()
	}
}

func TestAccessLogLinesInJSONSayEverything(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--access-log-file", file, "--access-log-format", "json")
	url := "http://" + p.found(`msg=ready listen=(\S+)`)
	get(t, url+"/elsewhere?secret=1")
	var line map[string]any
	if err := json.Unmarshal([]byte(awaitLine(t, file, "elsewhere")), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"method": "GET", "path": "/elsewhere", "target": "/elsewhere?secret=1", "status": 404.0, "reason": "no_route",
		"agent": `a "b"`, "referer": "https://from.example/", "host": strings.TrimPrefix(url, "http://"),
		"error": "no route for /elsewhere",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
}

func TestSkippedPathsHaveALineOnlyWhenTheyFail(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--access-log-file", file,
		"--access-log-skip", "/digest/up", "--access-log-skip", "/digest/quiet/*", "--access-log-skip", "/gone")
	url := "http://" + p.found(`msg=ready listen=(\S+)`)
	for _, path := range []string{"/digest/up", "/digest/quiet/a", "/gone", "/digest/upper", "/digest/last"} {
		get(t, url+path)
	}
	awaitLine(t, file, "path=/digest/last")
	text, _ := os.ReadFile(file)
	for path, want := range map[string]bool{
		"/digest/up": false, "/digest/quiet/a": false, "/gone": true, "/digest/upper": true,
	} {
		if got := strings.Contains(string(text), "path="+path+" "); got != want {
			t.Errorf("%s has a line: %v", path, got)
		}
	}
}

func TestUSR1OpensTheLogFilesAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, access := filepath.Join(dir, "log"), filepath.Join(dir, "access.log")
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--log-file", log, "--access-log-file", access)
	ready := awaitLine(t, log, "msg=ready")
	url := "http://" + regexp.MustCompile(`listen=(\S+)`).FindStringSubmatch(ready)[1]
	get(t, url+"/digest/first")
	awaitLine(t, access, "path=/digest/first")
	for _, file := range []string{log, access} {
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(unix.SIGUSR1)
	awaitLine(t, log, "msg=stats")
	get(t, url+"/digest/second")
	awaitLine(t, access, "path=/digest/second")
	if old, _ := os.ReadFile(access + ".1"); strings.Contains(string(old), "second") {
		t.Error("the old file goes on")
	}
	p.signal(unix.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
	if text, _ := os.ReadFile(log); !strings.Contains(string(text), "msg=stopped") {
		t.Errorf("the last line of the log is missing:\n%s", text)
	}
	if p.err.String() != "" {
		t.Errorf("standard error has %s", p.err.String())
	}
}

func TestALogThatCannotBeOpenedIsOneLineThatNamesTheFlag(t *testing.T) {
	for _, flag := range []string{"--log-file", "--access-log-file"} {
		_, stderr, status := call(nil, "serve", "--listen", "127.0.0.1:0", flag, filepath.Join(t.TempDir(), "no/such"),
			"--socket", filepath.Join(t.TempDir(), "workers.sock"))
		if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, flag) {
			t.Errorf("%s: status %d: %s", flag, status, stderr)
		}
	}
	for format, want := range map[string]string{
		"combind": "want text, json, combined, common, or a template", "{patj}": "there is no field {patj}",
	} {
		_, stderr, status := call(nil, "serve", "--access-log-format", format)
		if status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d: %s", format, status, stderr)
		}
	}
}

func TestTheHelpNamesEveryFieldOfATemplate(t *testing.T) {
	for _, field := range accesslog.Fields() {
		if !regexp.MustCompile(`[ ,\n]` + field + `[,\n]`).MatchString(serveNotes) {
			t.Errorf("%s is missing", field)
		}
	}
}
