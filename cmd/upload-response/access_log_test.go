package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openLogged starts a server with an app, a path that it answers itself, and an access log.
func openLogged(t *testing.T, access string) (s *liveSite, use func(access string) (status int, answer string)) {
	t.Helper()
	text := func(access string) string {
		return liveBegin + "up}\n  match: {path: /up/*}\n- app: web\n" +
			"apps: {web: {command: [" + os.Args[0] + ", worker, echo]}}\nlog:\n  access: " + access + "\n"
	}
	s = openLive(t, strings.TrimPrefix(text(access), liveBegin))
	return s, func(access string) (int, string) {
		status, answer, _ := s.do(t, "PUT", "/config", text(access))
		return status, answer
	}
}

func TestAReloadChangesTheFormatTheFileAndThePathsOfTheAccessLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	s, use := openLogged(t, "{file: "+first+", format: 'one {path}'}")
	get(t, s.url+"/up/1")
	awaitLine(t, first, "one /up/1$")

	if status, answer := use("{file: " + first + ", format: 'two {path}', skip: [/up/no]}"); status != 200 {
		t.Fatal(answer)
	}
	get(t, s.url+"/up/no")
	get(t, s.url+"/up/2")
	awaitLine(t, first, "two /up/2$")
	upload, response := beginEcho(t, s.url, "begun")
	defer response.Body.Close()

	if status, answer := use("{file: " + second + ", format: common}"); status != 200 {
		t.Fatal(answer)
	}
	get(t, s.url+"/up/3")
	awaitLine(t, second, `"GET /up/3 HTTP/1.1" 200`)
	check(t, upload.Close())
	awaitLine(t, second, "two /echo$") // in the format of its time

	check(t, os.Rename(second, second+".1"))
	s.signal(unix.SIGUSR1)
	s.found(`msg="log file opened again" file=` + second)
	get(t, s.url+"/up/4")
	awaitLine(t, second, `"GET /up/4 HTTP/1.1" 200`)
	for file, want := range map[string]string{first: "/up/1 /up/2", second + ".1": "/up/3 /echo"} {
		text, err := os.ReadFile(file)
		check(t, err)
		for _, part := range strings.Fields(want) {
			if !bytes.Contains(text, []byte(part)) {
				t.Errorf("%s: no %s in %s", filepath.Base(file), part, text)
			}
		}
		if bytes.Count(text, []byte("\n")) != 2 {
			t.Errorf("%s has %s", filepath.Base(file), text)
		}
	}
}

func TestAReloadTurnsTheAccessLogOnAndOff(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	s, use := openLogged(t, "false")
	get(t, s.url+"/up/none")
	for _, step := range []struct{ access, path string }{
		{"{format: 'out {path}'}", "/up/1"}, {"{file: " + file + ", format: 'file {path}'}", "/up/2"},
		{"{format: 'out {path}'}", "/up/3"},
	} {
		if status, answer := use(step.access); status != 200 {
			t.Fatal(answer)
		}
		get(t, s.url+step.path)
		if strings.Contains(step.access, "file") {
			awaitLine(t, file, "file "+step.path+"$")
		} else {
			s.foundIn(&s.out, "(?m)^out "+step.path+"$")
		}
	}
	if status, answer := use("false"); status != 200 {
		t.Fatal(answer)
	}
	get(t, s.url+"/up/none")
	s.signal(unix.SIGTERM)
	s.wait()
	if out := s.out.String(); out != "out /up/1\nout /up/3\n" {
		t.Errorf("standard output has %q", out)
	}
}

func TestALogFileThatCannotBeOpenedChangesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	s, use := openLogged(t, "{file: "+file+", format: 'one {path}'}")
	status, answer := use("{file: " + t.TempDir() + ", format: 'two {path}'}")
	if status != 422 || !strings.Contains(answer, "log.access.file") || !strings.Contains(answer, "is a directory") {
		t.Errorf("%d %s", status, answer)
	}
	get(t, s.url+"/up/1")
	awaitLine(t, file, "one /up/1$")
}
