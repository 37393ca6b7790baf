// Package prometheus_test has Prometheus itself read our metrics, and evaluate our rules. A test whose program is not
// installed is skipped, and says what to install.
package prometheus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/metrics"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"app": runApp})
}

// runApp is the role of a worker.
func runApp() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") })
	if err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), answer); err != nil {
		panic(err)
	}
}

const rules = "../../docs/prometheus/alerts.yaml"

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s: apt install prometheus", name)
	}
	return path
}

// check runs promtool.
func check(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), tool(t, "promtool"), args...)
	command.Stdin = stdin
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// serve starts a server with a worker and metrics, to which a request was made.
func serve(t *testing.T) (scrape string) {
	t.Helper()
	s := harness.Start(t, nil)
	s.StartWorker(t, "app")
	response, err := s.Client.Get(s.URL)
	harness.Check(t, err)
	_ = harness.ReadAll(t, response.Body)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	front := &http.Server{Handler: metrics.Handler(metrics.NewRegistry(metrics.Sources{Router: s.Router}))}
	go func() { _ = front.Serve(listener) }()
	t.Cleanup(func() { _ = front.Close() })
	return listener.Addr().String()
}

func TestPromtoolAcceptsTheMetricsAndTheRules(t *testing.T) {
	response, err := http.Get("http://" + serve(t) + "/metrics")
	harness.Check(t, err)
	check(t, bytes.NewReader(harness.ReadAll(t, response.Body)), "check", "metrics")
	check(t, nil, "check", "rules", rules)
}

func TestTheAlertsFireWhenTheyShould(t *testing.T) {
	check(t, nil, "test", "rules", "../../docs/prometheus/alerts_test.yaml")
}

// config is that of a Prometheus that scrapes a server.
const config = `
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [%s]
scrape_configs:
  - job_name: upload-response
    static_configs: [{targets: ["%s"]}]
`

// prometheus is a running Prometheus.
type prometheus struct{ url string }

func startPrometheus(t *testing.T, scrape string) *prometheus {
	t.Helper()
	program := tool(t, "prometheus")
	dir := t.TempDir()
	absolute, err := filepath.Abs(rules)
	harness.Check(t, err)
	file := filepath.Join(dir, "prometheus.yml")
	harness.Check(t, os.WriteFile(file, fmt.Appendf(nil, config, absolute, scrape), 0o600))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	address := free.Addr().String()
	harness.Check(t, free.Close())
	command := exec.CommandContext(t.Context(), program, "--config.file="+file, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(dir, "data"))
	var log bytes.Buffer
	command.Stderr = &log
	harness.Check(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return &prometheus{"http://" + address}
}

// get asks Prometheus, and reports whether it has answered.
func (p *prometheus) get(path string, to any) bool {
	client := &http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(p.url + path)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(to) == nil && response.StatusCode == http.StatusOK
}

// value returns the value of a query, or nothing.
func (p *prometheus) value(query string) string {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if !p.get("/api/v1/query?query="+url.QueryEscape(query), &answer) || len(answer.Data.Result) != 1 {
		return ""
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	return text
}

func TestPrometheusScrapesAServerAndEvaluatesTheRules(t *testing.T) {
	p := startPrometheus(t, serve(t))
	harness.Eventually(t, "a scrape", func() bool { return p.value(`up{job="upload-response"}`) == "1" })
	harness.Eventually(t, "the request", func() bool {
		return p.value(`sum(ur_http_requests_total{code="200"})`) == "1"
	})
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	harness.Eventually(t, "an evaluation of all rules", func() bool {
		if !p.get("/api/v1/rules", &answer) || len(answer.Data.Groups) != 1 {
			return false
		}
		for _, rule := range answer.Data.Groups[0].Rules {
			if rule.Health == "unknown" {
				return false
			}
		}
		return true
	})
	for _, rule := range answer.Data.Groups[0].Rules {
		if rule.Health != "ok" {
			t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
		}
	}
}

// dashboardVariables stand for what Grafana puts in place of its variables.
var dashboardVariables = strings.NewReplacer("$__rate_interval", "1m", "$app", ".*", "$job", "upload-response")

func TestPrometheusUnderstandsTheQueriesOfTheDashboard(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/upload-response.json")
	harness.Check(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	harness.Check(t, json.Unmarshal(text, &dashboard))
	p := startPrometheus(t, serve(t))
	harness.Eventually(t, "two scrapes", func() bool {
		return p.value(`count_over_time(ur_build_info[1m]) > bool 1`) == "1"
	})
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			var answer struct{ Status, Error string }
			query := dashboardVariables.Replace(target.Expr)
			if !p.get("/api/v1/query?query="+url.QueryEscape(query), &answer) || answer.Status != "success" {
				t.Errorf("%s: %s: %s", panel.Title, query, answer.Error)
			}
		}
	}
	if queries < 30 {
		t.Errorf("only %d queries", queries)
	}
}
