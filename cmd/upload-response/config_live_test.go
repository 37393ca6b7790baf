package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// liveSite is a server that was started from a file, and its admin socket.
type liveSite struct {
	*process
	name, url, socket string
	client            *http.Client
}

const liveBegin = "listen: http://127.0.0.1:0\nsocket: s\nroutes:\n- respond: {body: "

// openLive starts a server with a file that has it answer with a text, and flags.
func openLive(t *testing.T, text string, flags ...string) *liveSite {
	t.Helper()
	s := &liveSite{name: inFile(t, liveBegin+text)}
	s.socket = filepath.Join(filepath.Dir(s.name), "s")
	s.process = startProcess(t, append([]string{"serve", "-c", s.name}, flags...)...)
	s.url = "http://" + s.found(`msg=ready listen=(127.0.0.1:\d+)`)
	s.client = adminSocketClient(t, s.socket+".admin")
	return s
}

// adminSocketClient returns a client of a Unix socket.
func adminSocketClient(t *testing.T, path string) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// do sends a request to the admin listener, and returns the status, the body and the ETag.
func (s *liveSite) do(t *testing.T, method, path, body string, fields ...string) (status int, text, tag string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	check(t, err)
	for i := 0; i < len(fields); i += 2 {
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := s.client.Do(request)
	check(t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	check(t, err)
	return response.StatusCode, string(b), response.Header.Get("ETag")
}

// answers checks what clients get.
func (s *liveSite) answers(t *testing.T, want string) {
	t.Helper()
	if got := fetchText(t, s.url+"/"); got != want {
		t.Errorf("clients get %q, want %q", got, want)
	}
}

// decoded returns a JSON text as a value.
func decoded[T any](t *testing.T, text string) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

func TestTheConfigurationIsShownWithSourcesAndWithoutSecrets(t *testing.T) {
	t.Parallel()
	const apps = "one}\n  match: {path: /}\n- app: web\n" +
		"apps: {web: {command: [sleep, inf], environment: {DB_PASSWORD: hunter2, LANG: C}}}\n"
	s := openLive(t, apps, "--idle-timeout", "7s")
	status, text, tag := s.do(t, "GET", "/config", "")
	now := decoded[admin.Effective](t, text)
	if status != 200 || tag == "" || now.File != s.name || !now.Saved || strings.Contains(text, "hunter2") {
		t.Errorf("%d %s %s", status, tag, text)
	}
	for _, want := range []config.Origin{
		{Key: "timeouts.idle", Value: "7s", Origin: "--idle-timeout"},
		{Key: "timeouts.ping", Value: "20s", Origin: "default"},
		{Key: "apps.web.environment.LANG", Value: "C", Origin: s.name + ":7"},
		{Key: "apps.web.environment.DB_PASSWORD", Value: "(hidden)", Origin: s.name + ":7"},
	} {
		if !slices.Contains(now.Values, want) {
			t.Errorf("no %+v in %+v", want, now.Values)
		}
	}
	status, text, again := s.do(t, "GET", "/config/file", "")
	if status != 200 || text != liveBegin+apps || again != tag {
		t.Errorf("the file: %d %q %q", status, again, text)
	}
	if status, text, _ = s.do(t, "GET", "/config", "", "If-None-Match", tag); status != 304 || text != "" {
		t.Errorf("what the client has already: %d %q", status, text)
	}
}

func TestAConfigurationIsReplacedOnlyByWhoKnowsTheOneBefore(t *testing.T) {
	t.Parallel()
	s := openLive(t, "one}\n")
	_, _, first := s.do(t, "GET", "/config", "")
	status, text, second := s.do(t, "PUT", "/config", liveBegin+"two}\n", "If-Match", first)
	answer := decoded[admin.Reloaded](t, text)
	if status != 200 || second == "" || second == first || answer.PID != s.cmd.Process.Pid ||
		len(answer.Changed) != 1 || answer.Changed[0].Key != "routes[0].respond.body" ||
		answer.Changed[0].Before != "one" || answer.Changed[0].After != "two" {
		t.Errorf("%d %s", status, text)
	}
	s.answers(t, "two")
	if status, text, _ := s.do(t, "PUT", "/config", liveBegin+"three}\n", "If-Match", first); status != 412 {
		t.Errorf("with the ETag of the first: %d %s", status, text)
	}
	s.answers(t, "two")
	_, text, now := s.do(t, "GET", "/config", "")
	if now != second || decoded[admin.Effective](t, text).Saved {
		t.Errorf("in effect is %s", text)
	}
	if onDisk, err := os.ReadFile(s.name); err != nil || string(onDisk) != liveBegin+"one}\n" {
		t.Errorf("the file: %q, %v", onDisk, err)
	}
	if status, text, _ := s.do(t, "POST", "/reload", ""); status != 200 || !strings.Contains(text, `"after":"one"`) {
		t.Errorf("reload: %d %s", status, text)
	}
	s.answers(t, "one")
}

func TestAWrongConfigurationChangesNothingAndSaysWhere(t *testing.T) {
	t.Parallel()
	s := openLive(t, "one}\n")
	for _, c := range []struct {
		text, key, message string
		line               int
	}{
		{liveBegin + "two}\nlog: {levl: info}\n", "log.levl", "did you mean level?", 5},
		{liveBegin + "two}\nlimits: {requests: many}\n", "limits.requests", "want a whole number", 5},
		{liveBegin + "two}\nlimits: {requests: 0}\n", "limits.requests", "want a whole number from 1", 5},
		{liveBegin + "two}\n- app: web\n", "routes[1].app", "there are no apps", 5},
		{liveBegin + "two}\nmemory: 128MiB\n", "memory.total", "needs an upgrade", 5},
		{liveBegin + "two}\napps: {web: {command: [/nowhere]}}\n", "apps.web.command[0]", "cannot execute", 5},
		{"listen: [", "", "a [ is not closed", 1},
	} {
		status, text, _ := s.do(t, "PUT", "/config?save=true", c.text)
		problem := decoded[admin.Problem](t, text)
		if status != 422 || problem.Status != 422 || len(problem.Errors) == 0 ||
			!strings.Contains(problem.Detail, problem.Errors[0].Message) {
			t.Errorf("%s\n%d %s", c.text, status, text)
			continue
		}
		if first := problem.Errors[0]; first.Line != c.line || first.Key != c.key ||
			!strings.Contains(first.Message, c.message) || !strings.Contains(first.Excerpt, "^") {
			t.Errorf("%s\n%+v", c.text, first)
		}
	}
	s.answers(t, "one")
	if onDisk, err := os.ReadFile(s.name); err != nil || string(onDisk) != liveBegin+"one}\n" {
		t.Errorf("the file: %q, %v", onDisk, err)
	}
}

func TestACheckSaysWhatWouldChangeAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := openLive(t, "one}\n")
	status, text, _ := s.do(t, "POST", "/config/check", liveBegin+"two}\nmemory: 128MiB\n")
	changed := decoded[admin.Checked](t, text).Changed
	if status != 200 || len(changed) != 2 || changed[0].Key != "memory.total" || !changed[0].NeedsUpgrade ||
		changed[1].Key != "routes[0].respond.body" || changed[1].NeedsUpgrade {
		t.Errorf("%d %s", status, text)
	}
	if status, text, _ := s.do(t, "POST", "/config/check", "x"); status != 422 ||
		!strings.Contains(text, "want keys and values") {
		t.Errorf("%d %s", status, text)
	}
	s.answers(t, "one")
}

func TestASavedConfigurationIsInTheFile(t *testing.T) {
	t.Parallel()
	s := openLive(t, "one}\n")
	check(t, os.Chmod(s.name, 0o640))
	link := filepath.Join(filepath.Dir(s.name), "real.yaml")
	check(t, os.Rename(s.name, link))
	check(t, os.Symlink("real.yaml", s.name))
	if status, text, _ := s.do(t, "PUT", "/config?save=true", liveBegin+"two}\n"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	s.answers(t, "two")
	onDisk, err := os.ReadFile(s.name)
	info, statErr := os.Lstat(s.name)
	real, realErr := os.Stat(link)
	if err != nil || statErr != nil || realErr != nil || string(onDisk) != liveBegin+"two}\n" ||
		info.Mode()&os.ModeSymlink == 0 || real.Mode().Perm() != 0o640 {
		t.Errorf("%q %v %v %v", onDisk, err, info, real)
	}
	if _, text, _ := s.do(t, "GET", "/config", ""); !decoded[admin.Effective](t, text).Saved {
		t.Errorf("in effect is %s", text)
	}
	const by = liveBegin + "by hand}\n"
	check(t, os.WriteFile(s.name, []byte(by), 0o600))
	status, text, _ := s.do(t, "PUT", "/config?save=true", liveBegin+"three}\n")
	if status != 409 || !strings.Contains(text, "has changed since the server read it") {
		t.Errorf("after an edit by hand: %d %s", status, text)
	}
	s.answers(t, "two")
	if onDisk, err := os.ReadFile(s.name); err != nil || string(onDisk) != by {
		t.Errorf("the edit is gone: %q, %v", onDisk, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(s.name), ".*.yaml.*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
	if status, text, _ := s.do(t, "PUT", "/config?save=perhaps", ""); status != 400 {
		t.Errorf("%d %s", status, text)
	}
}

func TestAServerWithoutAFileShowsItsConfigurationAndKeepsIt(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	p := startProcess(t, "serve", "--listen", "127.0.0.1:0", "--socket", socket, "--idle-timeout", "7s")
	p.found("(msg=ready)")
	s := &liveSite{process: p, client: adminSocketClient(t, socket+".admin")}
	status, text, _ := s.do(t, "GET", "/config", "")
	if now := decoded[admin.Effective](t, text); status != 200 || now.File != "" ||
		!slices.Contains(now.Values, config.Origin{Key: "timeouts.idle", Value: "7s", Origin: "--idle-timeout"}) {
		t.Errorf("%d %s", status, text)
	}
	for _, c := range [][3]string{{"GET", "/config/file", "404"}, {"PUT", "/config", "409"},
		{"POST", "/config/check", "409"}, {"POST", "/reload", "409"}} {
		if status, text, _ := s.do(t, c[0], c[1], "{}"); fmt.Sprint(status) != c[2] {
			t.Errorf("%s %s: %d %s", c[0], c[1], status, text)
		}
	}
}

func TestReloadPrintsWhatHasChangedOrWhyNothingHas(t *testing.T) {
	t.Parallel()
	s := openLive(t, "one}\n")
	success := func(want string) {
		t.Helper()
		_, text, _ := s.do(t, "GET", "/metrics", "")
		if !strings.Contains(text, "\nur_config_reload_success "+want+"\n") {
			t.Errorf("ur_config_reload_success is not %s", want)
		}
	}
	success("1")
	check(t, os.WriteFile(s.name, []byte(liveBegin+"two}\n"), 0o600))
	stdout, stderr, status := call(nil, "reload", "--socket", s.socket)
	want := fmt.Sprintf("process %d has read its files again, changed in %s: 1\n"+
		"  routes[0].respond.body: one -> two\n", s.cmd.Process.Pid, s.name)
	if stdout != want || stderr != "" || status != 0 {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	s.answers(t, "two")

	check(t, os.WriteFile(s.name, []byte(liveBegin+"three}\nlog: {levl: info}\n"), 0o600))
	stdout, stderr, status = call(nil, "reload", "--socket", s.socket)
	want = s.name + ":5:7: unknown key levl: did you mean level?\n     3 | routes:"
	if stdout != "" || status != 1 || !strings.Contains(stderr, want) {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	success("0")
	stdout, _, status = call(nil, "reload", "--socket", s.socket, "--json")
	if problem := decoded[admin.Problem](t, stdout); status != 1 || problem.Status != 422 ||
		problem.Errors[0].Key != "log.levl" {
		t.Errorf("status %d, printed %s", status, stdout)
	}
	s.answers(t, "two")

	check(t, os.Remove(s.name))
	if _, stderr, status = call(nil, "reload", "--socket", s.socket); status != 1 ||
		!strings.Contains(stderr, "no such file") {
		t.Errorf("without the file: status %d, %q", status, stderr)
	}
	s.answers(t, "two")

	check(t, os.WriteFile(s.name, []byte(liveBegin+"four}\n"), 0o600))
	var answer admin.Reloaded
	callJSON(t, &answer, "reload", "--socket", s.socket, "--json")
	if answer.File != s.name || len(answer.Changed) != 1 || answer.Changed[0].After != "four" {
		t.Errorf("%+v", answer)
	}
	success("1")
}

func TestReloadIsASignalWhereThereIsNoAdminListener(t *testing.T) {
	t.Parallel()
	s := openLive(t, "one}\n", "--admin", "off")
	check(t, os.WriteFile(s.name, []byte(liveBegin+"two}\n"), 0o600))
	stdout, stderr, status := call(nil, "reload", "--socket", s.socket)
	want := fmt.Sprintf("process %d reads its files again; its log says what has changed\n", s.cmd.Process.Pid)
	if stdout != want || stderr != "" || status != 0 {
		t.Errorf("status %d, printed %q and %q", status, stdout, stderr)
	}
	s.found(`msg="configuration read again" file=` + regexp.QuoteMeta(s.name) + ` changed=1`)
	s.answers(t, "two")
	var sent signalled
	callJSON(t, &sent, "reload", "--socket", s.socket, "--json")
	if sent.PID != s.cmd.Process.Pid || sent.Signal != "SIGHUP" {
		t.Errorf("%+v", sent)
	}
	s.found(`msg="configuration read again" file=` + regexp.QuoteMeta(s.name) + ` changed=0`)
	if _, stderr, status := call(nil, "reload", "--socket", s.socket, "--admin", "unix:"+s.socket+".x"); status != 1 ||
		!strings.Contains(stderr, "no server answers at") {
		t.Errorf("an admin listener that is not there: status %d, %q", status, stderr)
	}
	s.signal(unix.SIGTERM)
	if status := s.wait(); status != 0 {
		t.Errorf("the server ended with status %d", status)
	}
}
