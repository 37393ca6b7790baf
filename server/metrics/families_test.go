package metrics

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// bounded are the labels that a metric may have, and what bounds their values.
var bounded = map[string]string{
	"app":      "the apps (pools) of the configuration; empty for requests that reached no route",
	"route":    "the routes of the configuration, by name or prefix; empty for requests that reached none",
	"method":   "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT; `other` for all others",
	"code":     "100 to 599; 499 for a client that went away before its answer; `other` for all others",
	"protocol": "HTTP/1.0, HTTP/1.1, HTTP/2, HTTP/3",
	"listener": "the addresses at which the server listens",
	"reason": "of a failed request: " + list(fault.Labels()) + "; of a worker that has ended: exit, signal, oom, " +
		"start, stuck, requests, lifetime, memory, reload, scale, stop",
	"held":        "client, worker",
	"segment":     "request, response",
	"state":       "of a worker: " + list(States) + "; of streams and memory: used, free",
	"worker":      "APP/SLOT, such as web/0: the name stays when the process is replaced",
	"certificate": "the certificates of the configuration",
	"version":     "one",
	"goversion":   "one",
}

func list(words []string) string { return strings.Join(words, ", ") }

func TestEveryMetricHasHelpAUnitAndBoundedLabels(t *testing.T) {
	units := map[string][]string{
		"counter":   {"_total"},
		"histogram": {"_seconds", "_bytes"},
		"gauge":     nil, // some count things
	}
	seen := map[string]bool{}
	for _, f := range families {
		if seen[f.name] || !strings.HasPrefix(f.name, "ur_") {
			t.Errorf("%s is there twice, or is not named as ours", f.name)
		}
		seen[f.name] = true
		if len(f.help) < 10 || !strings.HasSuffix(f.help, ".") {
			t.Errorf("%s: the help is %q", f.name, f.help)
		}
		suffixes, known := units[f.kind]
		if !known || suffixes != nil && !slices.ContainsFunc(suffixes, func(s string) bool {
			return strings.HasSuffix(f.name, s)
		}) {
			t.Errorf("%s: a %s ends otherwise", f.name, f.kind)
		}
		for _, label := range f.labels {
			if bounded[label] == "" {
				t.Errorf("%s: nobody says what bounds the label %s", f.name, label)
			}
		}
	}
}

// page is docs/metrics.md.
func page() []byte {
	var b bytes.Buffer
	b.WriteString(`# Metrics

Generated from the registry of package server/metrics: change its families, then run
` + "`UPDATE=1 go test ./server/metrics`" + `. [observability.md](observability.md#metrics) says how to get at them.

| metric | kind | labels | meaning |
|---|---|---|---|
`)
	for _, f := range families {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, list(f.labels), f.help)
	}
	b.WriteString(`
There are those of the process (` + "`process_`" + `) and of the Go runtime (` + "`go_`" + `), too, as in every
program with the client library of Prometheus.

## Labels

No label has a value that a client chooses.

| label | values |
|---|---|
`)
	var labels []string
	for label := range bounded {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	for _, label := range labels {
		fmt.Fprintf(&b, "| `%s` | %s |\n", label, bounded[label])
	}
	return b.Bytes()
}

func TestThePageOfMetricsIsThatOfTheRegistry(t *testing.T) {
	const file = "../../docs/metrics.md"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page()) {
		t.Error("docs/metrics.md is out of date: UPDATE=1 go test ./server/metrics")
	}
}
