package config

import (
	"reflect"
	"testing"
)

func TestTheDifferenceOfTwoFilesIsNamedKeyByKey(t *testing.T) {
	before := good(t, `
apps:
  a: {command: sh, environment: {TOKEN: one, PLAIN: one}}
  gone: {command: sh}
routes: [{match: {path: /x}, app: gone}, {app: a}]
timeouts: {idle: 1m}
`)
	after := good(t, `
memory: {total: 256MiB, slot: 4KiB}
apps:
  a: {command: [sh, -c], environment: {TOKEN: two, PLAIN: two}}
routes: [{app: a}]
timeouts: {idle: 60s, queue: 10s, response: 5s}
`)
	got := Diff(before, after)
	var routes int
	want := []Change{
		{"apps.a.command", "[sh]", "[sh, -c]", false}, {"apps.a.environment.PLAIN", "one", "two", false},
		{"apps.a.environment.TOKEN", "(hidden)", "(hidden)", false}, {"apps.gone", "{...}", "", false},
		{"memory.slot", "64KiB", "4KiB", true},
		{"timeouts.response", "30s", "5s", false},
	}
	for i := 0; i < len(got); i++ {
		if got[i].Key[:6] == "routes" {
			routes++
			got = append(got[:i], got[i+1:]...)
			i--
		}
	}
	if !reflect.DeepEqual(got, want) || routes == 0 {
		t.Errorf("%+v\nwant\n%+v (%d routes)", got, want, routes)
	}
	if d := Diff(before, before); d != nil {
		t.Errorf("a file differs from itself: %+v", d)
	}
	if d := Diff(before, Default()); len(d) == 0 {
		t.Error("no difference from the defaults")
	}
}

func TestWhatCannotChangeWhileTheServerRunsSaysSo(t *testing.T) {
	for key, want := range map[string]bool{
		"listen": true, "memory.total": true, "tls.certificates[0].cert": true, "limits.requests": true,
		"proxies.trust":    true,
		"limits.requestsX": false, "limits.queue": false, "apps.a.processes.fixed": false, "routes[0].app": false,
		"timeouts.response": false, "timeouts.idle": true, "log.level": true, "log.access.skip": false,
		"log.access.format": false, "log.access.file": false, "tracing.otlp": true,
	} {
		if needsUpgrade(key) != want {
			t.Errorf("%s: %v", key, !want)
		}
	}
}
