package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestStatusNamesAppsWorkersAndRunningRequests(t *testing.T) {
	s := open(t, "", nil)
	p := s.StartWorker(t, "app")
	s.hold(t, "/wait?id=1")
	status, err := s.Status(t.Context())
	harness.Check(t, err)
	if len(status.Apps) != 1 || len(status.Workers) != 1 || len(status.Streams) != 1 {
		t.Fatalf("the status is %+v", status)
	}
	a, w, one := status.Apps[0], status.Workers[0], status.Streams[0]
	if a.Name != "default" || a.State != AppReady || a.Workers != 1 || a.Lanes < 1 || a.Busy != 1 || a.Supervised {
		t.Errorf("the app is %+v", a)
	}
	if w.App != "default" || w.PID != p.PID() || w.State != WorkerRunning || w.Busy != 1 || w.Started {
		t.Errorf("the worker is %+v", w)
	}
	if one.Target != "/wait?id=1" || one.App != "default" || one.Worker != w.Name || one.Age <= 0 || one.ID == 0 {
		t.Errorf("the request is %+v", one)
	}
	if status.PID != os.Getpid() || status.Version != server.Version || status.Stats.Links != 1 {
		t.Errorf("the server is %+v", status)
	}
}

func TestStreamsAreFilteredAndCancelled(t *testing.T) {
	s := open(t, "", nil)
	s.StartWorker(t, "app")
	s.hold(t, "/wait")
	if list, err := s.Streams(t.Context(), "", time.Hour); err != nil || len(list) != 0 {
		t.Errorf("an hour old: %v, %v", list, err)
	}
	if _, err := s.Streams(t.Context(), "other", 0); !isProblem(err, http.StatusNotFound) {
		t.Errorf("an app that is not there: %v", err)
	}
	list, err := s.Streams(t.Context(), "default", time.Nanosecond)
	harness.Check(t, err)
	if len(list) != 1 {
		t.Fatalf("the requests are %+v", list)
	}
	harness.Check(t, s.Cancel(t.Context(), list[0].ID))
	harness.Eventually(t, "the request to be gone", func() bool {
		list, err := s.Streams(t.Context(), "", 0)
		return err == nil && len(list) == 0
	})
	if err := s.Cancel(t.Context(), list[0].ID); !isProblem(err, http.StatusNotFound) {
		t.Errorf("cancelled twice: %v", err)
	}
}

func isProblem(err error, status int) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status && p.Detail != ""
}

func TestReadinessHasALineForEachAppAndSaysWhyNot(t *testing.T) {
	s := open(t, "", nil)
	want := func(path string, status int, text string) {
		t.Helper()
		harness.Eventually(t, path+" to be "+text, func() bool {
			got, body, _ := s.get(t, "GET", path)
			return got == status && strings.Contains(body, text)
		})
	}
	want("/livez", 200, "ok\n")
	want("/readyz", 503, "default: not ready: no worker is attached\n")
	s.StartWorker(t, "app")
	want("/readyz", 200, "default: ready, workers: 1\n")
	want("/readyz?app=default", 200, "default: ready, workers: 1\n")
	want("/readyz?app=other", 404, `there is no app \"other\"`)
	for _, drained := range []bool{true, true, false} {
		answer, err := s.Drain(t.Context(), "default", !drained)
		if err != nil || answer.App != "default" || answer.Drained != drained || answer.Busy != 0 {
			t.Errorf("%+v, %v", answer, err)
		}
		if drained {
			want("/readyz?app=default", 503, "default: not ready: drained, requests in progress: 0\n")
		}
	}
	want("/readyz", 200, "default: ready, workers: 1\n")
	if _, err := s.Drain(t.Context(), "other", false); !isProblem(err, 404) {
		t.Errorf("another app: %v", err)
	}
	reader, past := s.admin.config.Events.subscribe(0)
	s.admin.config.Events.unsubscribe(reader)
	var kinds []any
	for _, event := range past {
		if event.Type == TypeWorker && event.App == "default" {
			kinds = append(kinds, event.Attributes["kind"])
		}
	}
	if fmt.Sprint(kinds) != "[drained undrained]" {
		t.Errorf("events %v", kinds)
	}
	s.admin.SetDraining()
	want("/readyz", 503, "the server is about to end\n")
	want("/livez", 200, "ok\n")
}

func TestAnErrorIsAProblem(t *testing.T) {
	s := open(t, "", nil)
	for _, c := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{"GET", "/nothing", 404, "there is no GET /nothing"},
		{"GET", "/apps/other", 404, `there is no app "other"`},
		{"GET", "/workers/other/0", 404, `there is no worker "other/0"`},
		{"POST", "/apps/default/restart", 409, "does not start the workers"},
		{"POST", "/workers/default/0/stacks", 409, "does not start the workers"},
		{"POST", "/apps/default/scale", 400, "want a body such as"},
		{"DELETE", "/streams/one", 400, "want the number of a stream"},
		{"DELETE", "/streams/1", 404, "no request has stream 1"},
		{"GET", "/streams?slow=1", 400, "want a duration"},
		{"GET", "/events?level=loud", 400, "want info, warn, error or off"},
		{"GET", "/events?status=1ms", 400, "at least 200ms"},
		{"GET", "/debug/pprof/", 404, "there is no GET /debug/pprof/"},
		{"GET", "/metrics", 404, "there is no GET /metrics"},
		{"GET", "/config", 409, "this server has no configuration"},
		{"PUT", "/config", 409, "this server has no configuration"},
		{"POST", "/reload", 409, "there are no files to read again"},
	} {
		status, body, header := s.get(t, c.method, c.path)
		var p Problem
		err := json.Unmarshal([]byte(body), &p)
		if status != c.status || err != nil || p.Status != status || !strings.Contains(p.Detail, c.detail) ||
			header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s, %v", c.method, c.path, status, body, header)
		}
	}
}

func TestProfilesAreThereWhenAskedFor(t *testing.T) {
	s := open(t, "", func(c *Config) { c.Pprof = true })
	if status, body, _ := s.get(t, "GET", "/debug/pprof/goroutine?debug=1"); status != 200 ||
		!strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %s", status, body)
	}
}

func TestMetricsAreThoseThatAreGiven(t *testing.T) {
	s := open(t, "127.0.0.1:0", func(c *Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	})
	// The name is that of a container's network.
	status, body, _ := s.get(t, "GET", "/metrics", "Host", "upload-response.example:9180")
	if status != 200 || body != "up 1\n" {
		t.Errorf("%d %s", status, body)
	}
}

// schema is a part of openapi.json.
type schema struct {
	Properties map[string]json.RawMessage
}

func TestTheDescriptionHasEveryRouteAndEveryField(t *testing.T) {
	s := open(t, "", func(c *Config) { c.Metrics = http.NotFoundHandler() })
	_, body, _ := s.get(t, "GET", "/openapi.json")
	var described struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]schema }
	}
	harness.Check(t, json.Unmarshal([]byte(body), &described))
	var want, got []string
	for _, e := range s.admin.endpoints() {
		want = append(want, e.pattern)
	}
	for path, methods := range described.Paths {
		for method := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("described are\n%s\nthere are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, value := range map[string]any{
		"Status": Status{}, "App": App{}, "Worker": Worker{}, "Stream": Stream{}, "Event": Event{},
		"Scale": Scale{}, "Restarted": Restarted{}, "Stacks": Stacks{}, "Problem": Problem{},
		"Reloaded": Reloaded{}, "Upgraded": Upgraded{}, "Effective": Effective{}, "Origin": config.Origin{},
		"Checked": Checked{}, "Change": Change{}, "Fault": Fault{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			_, found := described.Components.Schemas[name].Properties[key]
			if !found && !field.Anonymous && key != "-" {
				t.Errorf("%s.%s (%q) is not described", name, field.Name, key)
			}
		}
	}
}
