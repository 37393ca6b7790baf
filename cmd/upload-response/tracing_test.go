package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTracesGoToTheCollectorOfTheFlagOrOfTheVariable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ flags, env []string }{
		"flag":     {[]string{"--tracing", "URL", "--tracing-sample", "100%"}, nil},
		"variable": {nil, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=URL"}},
		"variable for traces": {nil, []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=URL/v1/traces",
			"OTEL_TRACES_SAMPLER=parentbased_always_on"}},
	} {
		t.Run(name, func(t *testing.T) {
			paths := make(chan string, 10)
			collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				paths <- r.URL.Path
			}))
			defer collector.Close()
			args := []string{"demo", "--listen", "127.0.0.1:0"}
			for _, flag := range c.flags {
				args = append(args, strings.Replace(flag, "URL", collector.URL, 1))
			}
			command := exec.Command(os.Args[0], args...)
			for _, env := range c.env {
				command.Env = append(command.Env, strings.Replace(env, "URL", collector.URL, 1))
			}
			p := startCommand(t, command)
			url := "http://" + p.found(`msg=ready listen=(\S+)`)
			put(t, url+"/digest", []byte("x"))
			p.foundIn(&p.out, `path=/digest .* trace=[0-9a-f]{32}`)
			p.signal(unix.SIGTERM) // the last spans are sent before the end
			p.wait()
			if len(paths) == 0 || <-paths != "/v1/traces" {
				t.Error("no trace came")
			}
		})
	}
}

func TestAMistakeInTheFlagsOfTracingIsOneLine(t *testing.T) {
	for _, args := range [][]string{
		{"--tracing", "127.0.0.1:4318"}, {"--tracing-sample", "11"}, {"--tracing-sample", "NaN"},
		{"--tracing-sample", "-1%"},
	} {
		_, stderr, status := call(nil, append([]string{"serve"}, args...)...)
		if status != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, args[0]) {
			t.Errorf("%q: status %d: %s", args, status, stderr)
		}
	}
}
