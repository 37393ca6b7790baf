package supervise_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// families returns what /metrics of the running server says.
func (s *server) families(t testing.TB) map[string]*dto.MetricFamily {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket+".admin")
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		Timeout: harness.Patience}
	response, err := client.Get("http://localhost/metrics")
	harness.Check(t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(response.Body)
	harness.Check(t, err)
	return all
}

// counted returns the counters of the app that are not 0, added up by one of their labels.
func (s *server) counted(t testing.TB, name, label string) map[string]int {
	t.Helper()
	n := map[string]int{}
	for _, m := range s.families(t)[name].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if v := int(m.GetCounter().GetValue()); labels["app"] == "web" && v > 0 {
			n[labels[label]] += v
		}
	}
	return n
}

// logged counts records by a value.
func (s *server) logged(msg string, value func(record) string) map[string]int {
	n := map[string]int{}
	for _, r := range s.log.since(0) {
		if r.text("msg") == msg && value(r) != "" {
			n[value(r)]++
		}
	}
	return n
}

// ends counts how processes have ended, as the log says.
func (s *server) ends() map[string]int {
	return s.logged("worker process ended", func(r record) string { return r.text("reason") })
}

// failures counts why requests have failed, as the log says, which has those that a worker failed.
func (s *server) failures() map[string]int {
	return s.logged("exchange failed", func(r record) string {
		reason, _, _ := strings.Cut(r.text("error"), ":")
		return strings.ReplaceAll(reason, " ", "_")
	})
}

// isLogged reports whether the log has each failure with a reason: those by a worker, or by us.
func isLogged(reason string) bool {
	return strings.HasPrefix(reason, "worker_") || strings.HasPrefix(reason, "invalid_response_") ||
		reason == "internal_error"
}

// note counts what a client was answered; 0: its response broke off, or there was none.
func (s *server) note(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[int]int{}
	}
	s.seen[status]++
}

// answers returns how often clients were answered with a status.
func (s *server) answers(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[status]
}

// wantCounted checks that /metrics, the log and the clients agree on how processes have ended, and why
// requests have failed. Preconditions: no client is at work.
func wantCounted(t *testing.T, s *server, reasons ...string) {
	t.Helper()
	const exitsName, errorsName = "ur_worker_exits_total", "ur_http_errors_total"
	var exits, errors map[string]int
	var said string
	harness.Eventually(t, "the metrics to say what the log says", func() bool {
		exits, errors = s.counted(t, exitsName, "reason"), s.counted(t, errorsName, "reason")
		byWorker := maps.Clone(errors)
		maps.DeleteFunc(byWorker, func(reason string, _ int) bool { return !isLogged(reason) })
		if maps.Equal(exits, s.ends()) && maps.Equal(byWorker, s.failures()) {
			return true
		}
		if now := fmt.Sprintf("metrics: %v, %v; log: %v, %v", exits, byWorker, s.ends(), s.failures()); now != said {
			t.Log(now)
			said = now
		}
		return false
	})
	for _, reason := range reasons {
		if exits[reason] == 0 {
			t.Errorf("no process has ended with the reason %q: %v", reason, exits)
		}
	}
	broken := s.answers(0)
	lost := errors["worker_lost"] + errors["worker_aborted"]
	for _, check := range []struct{ status, counted int }{
		{http.StatusGatewayTimeout, errors["worker_timed_out"]}, {http.StatusBadGateway, lost},
		{http.StatusServiceUnavailable, errors["no_worker_attached"] + errors["queued_for_too_long"]},
	} {
		if n := s.answers(check.status); check.counted < n || check.counted > n+broken {
			t.Errorf("%d failures are counted, and %d clients saw a %d, %d a response that broke off: %v",
				check.counted, n, check.status, broken, errors)
		}
	}
}
