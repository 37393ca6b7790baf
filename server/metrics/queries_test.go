package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// query is an expression of PromQL that we give away, and where it stands. It may be used with labels beside it.
type query struct{ where, expression, legend string }

// dashboard is what a Grafana dashboard has of queries.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Query string }
	}
	Annotations struct {
		List []struct{ Expr, TitleFormat string }
	}
	Panels []struct {
		Title   string
		Type    string
		Targets []struct{ Expr, LegendFormat string }
	}
}

func dashboardQueries(t *testing.T) (all []query) {
	t.Helper()
	text, err := os.ReadFile("../../docs/grafana/upload-response.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Templating.List {
		all = append(all, query{"variable " + v.Name, v.Query, ""})
	}
	for _, a := range d.Annotations.List {
		all = append(all, query{"annotation", a.Expr, a.TitleFormat})
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, query{"panel " + p.Title, target.Expr, target.LegendFormat})
		}
	}
	return all
}

func alertQueries(t *testing.T) (all []query) {
	t.Helper()
	text, err := os.ReadFile("../../docs/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Annotations["summary"] == "" {
				t.Errorf("alert %s has no summary", r.Alert)
			}
			notes := strings.ReplaceAll(r.Annotations["summary"]+r.Annotations["description"], "$labels.", "")
			all = append(all, query{"alert " + r.Alert, r.Expr, notes})
		}
	}
	return all
}

var (
	nameInQuery     = regexp.MustCompile(`\bur_[a-z0-9_]+`)
	matcherInQuery  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	groupingInQuery = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
	labelInLegend   = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)
)

// everywhere are labels that Prometheus adds to each metric, and that of buckets.
var everywhere = []string{"instance", "job", "le"}

// familyNamed returns the family of a metric in a query, or nil.
func familyNamed(name string) *family {
	for _, f := range families {
		if f.name == name && f.kind != "histogram" {
			return f
		}
		suffix, ours := strings.CutPrefix(name, f.name)
		if ours && f.kind == "histogram" && slices.Contains([]string{"_bucket", "_sum", "_count"}, suffix) {
			return f
		}
	}
	return nil
}

// labelsIn returns the labels that a query names, in whatever part.
func labelsIn(q query) (labels []string) {
	for _, m := range matcherInQuery.FindAllStringSubmatch(q.expression, -1) {
		labels = append(labels, m[1])
	}
	for _, m := range groupingInQuery.FindAllStringSubmatch(q.expression, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			labels = append(labels, strings.TrimSpace(label))
		}
	}
	for _, m := range labelInLegend.FindAllStringSubmatch(q.legend, -1) {
		labels = append(labels, m[1])
	}
	return labels
}

// mistakeIn returns what is wrong with a query, or nothing.
func mistakeIn(q query) string {
	labels := slices.Clone(everywhere)
	for _, name := range nameInQuery.FindAllString(q.expression, -1) {
		f := familyNamed(name)
		if f == nil {
			return "there is no metric " + name
		}
		labels = append(labels, f.labels...)
	}
	for _, label := range labelsIn(q) {
		if !slices.Contains(labels, label) {
			return "its metrics have no label " + label
		}
	}
	return ""
}

func TestTheDashboardAndTheAlertsNameMetricsThatThereAre(t *testing.T) {
	all := append(dashboardQueries(t), alertQueries(t)...)
	if len(all) < 50 {
		t.Errorf("only %d queries were found", len(all))
	}
	for _, q := range all {
		if mistake := mistakeIn(q); mistake != "" {
			t.Errorf("%s: %s: %s", q.where, q.expression, mistake)
		}
	}
}

func TestTheDashboardShowsEveryMetric(t *testing.T) {
	shown := map[*family]bool{}
	for _, q := range dashboardQueries(t) {
		for _, name := range nameInQuery.FindAllString(q.expression, -1) {
			shown[familyNamed(name)] = true
		}
	}
	for _, f := range families {
		if !shown[f] && f != linksAttached {
			t.Errorf("%s is in no panel", f.name)
		}
	}
}

func TestAMistakeInAQueryIsFound(t *testing.T) {
	for _, q := range []query{
		{"", "ur_http_request_total", ""}, {"", "ur_http_request_duration_seconds", ""},
		{"", "ur_app_lanes_bucket", ""},
		{"", `ur_app_lanes{ap="x"}`, ""}, {"", "sum by (route) (ur_app_lanes)", ""}, {"", "ur_app_lanes", "{{route}}"},
	} {
		if mistakeIn(q) == "" {
			t.Errorf("%s, %q: nothing is wrong with it", q.expression, q.legend)
		}
	}
}
