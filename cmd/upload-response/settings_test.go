package main

import (
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
)

// parsed returns the settings that serve takes from flags and variables.
func parsed(t *testing.T, env map[string]string, args ...string) settings {
	t.Helper()
	s, err := tryParse(env, args...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryParse(env map[string]string, args ...string) (s settings, err error) {
	getenv := func(name string) string { return env[name] }
	return s, s.parse(s.flags(getenv), args, getenv)
}

func TestServeWithoutFlagsIsTheDefaultConfig(t *testing.T) {
	s := parsed(t, nil)
	if want := server.DefaultConfig(); !reflect.DeepEqual(s.config, want) {
		t.Errorf("%+v, want %+v", s.config, want)
	}
	if len(s.listeners.addresses) != 1 || s.listeners.addresses[0].String() != "127.0.0.1:8080" ||
		s.shutdown != 30*time.Second || s.accessLog || s.logging.level != slog.LevelInfo || s.logging.format != "text" {
		t.Errorf("%+v", s)
	}
}

func TestTheFourClassicNamesWorkAsFlagsAndVariables(t *testing.T) {
	check := func(s settings) {
		t.Helper()
		if c := s.config; c.NumStreams != 120 || c.SlotSize != 32<<10 || c.SlotsPerStream != 8192 ||
			c.ResponseTimeout != 15*time.Second {
			t.Errorf("%+v", c)
		}
	}
	check(parsed(t, nil, "--num-streams", "120", "--slot-size-kb", "32", "--slots-per-stream", "8192",
		"--response-timeout-ms", "15000"))
	check(parsed(t, nil, "--num_streams=120", "--slot_size_kb=32", "--slots_per_stream=8192",
		"--response_timeout_ms=15000"))
	check(parsed(t, nil, "-num-streams", "120", "-slot-size", "32KiB", "-slots-per-stream", "8192", "-response-timeout",
		"15s"))
	check(parsed(t, map[string]string{
		"UPLOAD_RESPONSE_NUM_STREAMS": "120", "UPLOAD_RESPONSE_SLOT_SIZE_KB": "32",
		"UPLOAD_RESPONSE_SLOTS_PER_STREAM": "8192", "UPLOAD_RESPONSE_RESPONSE_TIMEOUT_MS": "15000",
	}))
}

func TestAltSvcIsAWordAPortOrAValue(t *testing.T) {
	for said, want := range map[string]string{"auto": "", "off": server.AltSvcOff, "443": "443",
		`h3=":443"; ma=5`: `h3=":443"; ma=5`, "clear": "clear"} {
		if got := parsed(t, nil, "--alt-svc", said).listeners.limits.AltSvc; got != want {
			t.Errorf("%s is %q, want %q", said, got, want)
		}
	}
}

func TestFlagWinsOverVariableEvenUnderAnotherName(t *testing.T) {
	env := map[string]string{"UPLOAD_RESPONSE_SLOT_SIZE_KB": "32", "UPLOAD_RESPONSE_ROUTE": "/env=env",
		"UPLOAD_RESPONSE_NUM_STREAMS": "not a number", "UPLOAD_RESPONSE_ACCESS_LOG": "true"}
	s := parsed(t, env, "--slot-size", "16KiB", "--num-streams", "7", "--route", "/flag=flag", "--access-log=false")
	if s.config.SlotSize != 16<<10 || s.config.NumStreams != 7 || s.accessLog ||
		!reflect.DeepEqual(s.config.Routes, []server.Route{{Prefix: "/flag", Pool: "flag"}}) {
		t.Errorf("%+v", s)
	}
}

func TestTwoNamesOfOneSettingAreRefused(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		args []string
		want string
	}{
		{nil, []string{"--slot-size", "64KiB", "--slot-size-kb", "64"},
			"--slot-size and --slot-size-kb set the same thing"},
		{map[string]string{"UPLOAD_RESPONSE_RESPONSE_TIMEOUT": "30s", "UPLOAD_RESPONSE_RESPONSE_TIMEOUT_MS": "30"}, nil,
			"UPLOAD_RESPONSE_RESPONSE_TIMEOUT and UPLOAD_RESPONSE_RESPONSE_TIMEOUT_MS set the same thing"},
	} {
		if _, err := tryParse(test.env, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

func TestBadVariableIsNamed(t *testing.T) {
	_, err := tryParse(map[string]string{"UPLOAD_RESPONSE_QUEUE_TIME": "soon"})
	if err == nil || !strings.HasPrefix(err.Error(), `UPLOAD_RESPONSE_QUEUE_TIME "soon": want a duration`) {
		t.Error(err)
	}
}

func TestRepeatedFlagsAddUp(t *testing.T) {
	want := []server.Route{{Prefix: "/a", Pool: "x"}, {Prefix: "/b=c", Pool: "y"}}
	fromFlags := parsed(t, nil, "--route", "/a=x", "--route", "/b=c=y", "--allow-uid", "1", "--allow-uid", "2",
		"--allow-gid", "3", "--worker", "x=one 1", "--worker", "y=two, 2")
	fromEnv := parsed(t, map[string]string{
		"UPLOAD_RESPONSE_ROUTE": "/a=x, /b=c=y", "UPLOAD_RESPONSE_ALLOW_UID": "1,2", "UPLOAD_RESPONSE_ALLOW_GID": "3",
		"UPLOAD_RESPONSE_WORKER": "x=one 1\n\ny=two, 2\n",
	})
	for _, s := range []settings{fromFlags, fromEnv} {
		c := s.config
		if !reflect.DeepEqual(c.Routes, want) || !reflect.DeepEqual(c.AllowUIDs, []uint32{1, 2}) ||
			!reflect.DeepEqual(c.AllowGIDs, []uint32{3}) {
			t.Errorf("%+v", c)
		}
		if !reflect.DeepEqual(c.Supervised, []string{"x", "y"}) || len(s.apps) != 2 ||
			!slices.Equal(s.apps[1].Command, []string{"two,", "2"}) {
			t.Errorf("supervised %v, apps %v", c.Supervised, s.apps)
		}
	}
}

func TestEachWorkerHasItsNumberOfProcesses(t *testing.T) {
	s := parsed(t, nil, "--route", "/a=x", "--route", "/b=y", "--worker", "x=one", "--worker", "y=two",
		"--workers", "3")
	if len(s.apps) != 2 || s.apps[0].Processes != 3 || s.apps[1].Processes != 3 || s.apps[0].Name != "x" ||
		s.apps[1].Name != "y" || !reflect.DeepEqual(s.config.Supervised, []string{"x", "y"}) {
		t.Errorf("%v, supervised %v", s.apps, s.config.Supervised)
	}
	s = parsed(t, nil, "--route", "/a=x", "--worker", "x=one", "--worker", "x=two >log")
	if len(s.apps) != 2 || s.apps[1].Name != "x.2" || s.apps[1].PoolName() != "x" || s.config.StartedWorkers != 2 ||
		!slices.Equal(s.apps[1].Command, []string{"/bin/sh", "-c", "exec two >log"}) {
		t.Errorf("two commands of one pool: %v", s.apps)
	}
}

func TestWhatIsNotGivenFollowsTheSlotSize(t *testing.T) {
	small := parsed(t, nil, "--slot-size", "4KiB")
	if c := small.config; c.HeaderLimit != 4<<10 || c.LinkMemory != 8<<20 {
		t.Errorf("small slots: headers %d, link %d", c.HeaderLimit, c.LinkMemory)
	}
	large := parsed(t, nil, "--slot-size", "1MiB")
	if c := large.config; c.HeaderLimit != 32<<10 || c.LinkMemory != 128<<20 {
		t.Errorf("large slots: headers %d, link %d", c.HeaderLimit, c.LinkMemory)
	}
}

func TestDefaultSocketIsInTheSessionsFolder(t *testing.T) {
	got := parsed(t, map[string]string{"XDG_RUNTIME_DIR": "/run/user/1"}).socket
	if got != "/run/user/1/upload-response.sock" {
		t.Error(got)
	}
	if got := parsed(t, nil).socket; filepath.Base(got) != "upload-response.sock" || filepath.Dir(got) == "/tmp" {
		t.Error(got)
	}
}

func TestUsersMayBeLetIntoOnePool(t *testing.T) {
	s := parsed(t, map[string]string{"UPLOAD_RESPONSE_ALLOW_GID": "7,b=8"}, "--route", "/=a", "--route", "/b=b",
		"--allow-uid", "5", "--allow-uid", "a=6")
	c := s.config
	if !slices.Equal(c.AllowUIDs, []uint32{5}) || !slices.Equal(c.AllowGIDs, []uint32{7}) ||
		!slices.Equal(c.PoolUIDs, []server.PoolID{{Pool: "a", ID: 6}}) ||
		!slices.Equal(c.PoolGIDs, []server.PoolID{{Pool: "b", ID: 8}}) || !s.otherUsers() {
		t.Errorf("%+v", c)
	}
	if s := parsed(t, nil); s.otherUsers() {
		t.Error("the socket is for all users although none is named")
	}
}

func TestLinksAreKeptForTheWorkersThatAreToRun(t *testing.T) {
	s := parsed(t, nil, "--worker", "default=x", "--workers", "3", "--links-per-process", "2", "--links-per-user", "5",
		"--links-per-pool", "4", "--open-pool", "default")
	if c := s.config; c.StartedWorkers != 3 || c.LinksPerProcess != 2 || c.LinksPerUser != 5 || c.LinksPerPool != 4 ||
		!slices.Equal(c.OpenPools, []string{"default"}) {
		t.Errorf("%+v", c)
	}
}

func TestARenamedFlagKeepsItsOldNameAsFlagAndVariable(t *testing.T) {
	for _, test := range []struct {
		old, now string
		got      func(*settings) time.Duration
	}{
		{"queue-time", "queue-timeout", func(s *settings) time.Duration { return s.config.QueueTime }},
		{"stall-time", "stall-timeout", func(s *settings) time.Duration { return s.config.StallTime }},
	} {
		oldVariable, nowVariable := cli.EnvName(test.old), cli.EnvName(test.now)
		for _, call := range []struct {
			env     map[string]string
			args    []string
			renamed []cli.Rename
		}{
			{nil, []string{"--" + test.now, "7s"}, nil},
			{nil, []string{"--" + test.old + "=7s"}, []cli.Rename{{Old: "--" + test.old, New: "--" + test.now}}},
			{map[string]string{nowVariable: "7s"}, nil, nil},
			{map[string]string{oldVariable: "7s"}, nil, []cli.Rename{{Old: oldVariable, New: nowVariable}}},
		} {
			getenv := func(name string) string { return call.env[name] }
			var s settings
			flags := s.flags(getenv)
			if err := s.parse(flags, call.args, getenv); err != nil || test.got(&s) != 7*time.Second {
				t.Errorf("%v %v: %v, %v", call.env, call.args, test.got(&s), err)
			}
			if !slices.Equal(flags.Renamed(), call.renamed) {
				t.Errorf("%v %v: renamed %v", call.env, call.args, flags.Renamed())
			}
		}
		if _, err := tryParse(nil, "--"+test.old, "1s", "--"+test.now, "2s"); err == nil ||
			!strings.Contains(err.Error(), "give only one of them") {
			t.Errorf("both names at once: %v", err)
		}
	}
}

func TestWorkersDoNotGetDeprecatedSettingsOfTheServer(t *testing.T) {
	got := workerEnviron([]string{"UPLOAD_RESPONSE_STALL_TIME=1s", "UPLOAD_RESPONSE_STALL_TIMEOUT=1s", "HOME=/"})
	if !slices.Equal(got, []string{"HOME=/"}) {
		t.Error(got)
	}
}
