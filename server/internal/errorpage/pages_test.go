package errorpage

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write writes a file into a folder and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t *testing.T, c Config) *Pages {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var lost = Failure{Status: 502, Reason: "worker <lost>", RequestID: `id"&1`}

func TestAClientGetsTheFormatThatItWantsMost(t *testing.T) {
	pages := open(t, Config{})
	for accept, want := range map[string]string{
		"*/*":       "text/plain",
		"":          "text/plain",
		"image/png": "text/plain",
		"text/html": "text/html",
		"TEXT/HTML": "text/html",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "text/html",
		"application/json":                           "application/problem+json",
		"application/json, text/plain, */*":          "text/plain",
		"application/problem+json, */*;q=0.1":        "application/problem+json",
		"application/*":                              "application/problem+json",
		"text/*;q=0.5, text/html;q=0.4":              "text/plain",
		"text/plain;q=0, */*":                        "text/html",
		"text/*;q=0, */*;q=0.1":                      "application/problem+json",
		"text/html;level=1;q=0.7, text/plain;q=.6":   "text/html",
		"text/html;q=2, text/plain;q=0.1":            "text/plain",
		"text/html;q=0.2|application/json;q=0.5":     "application/problem+json",
		"application/json;q=0,application/*;q=1,*/*": "text/plain",
		"text":                 "text/plain",
		"/, ;q=1, text/html;;": "text/html",
	} {
		got, body := pages.Make(&lost, strings.Split(accept, "|"))
		if media, _, _ := strings.Cut(got, ";"); media != want || len(body) == 0 {
			t.Errorf("%q gets %s, want %s", accept, got, want)
		}
	}
	if got, body := pages.Make(&lost, nil); got != text.contentType || string(body) !=
		"502 Bad Gateway: worker <lost>\n" {
		t.Errorf("a client that says nothing gets %s, %q", got, body)
	}
}

func TestABodyHasStatusReasonAndID(t *testing.T) {
	pages := open(t, Config{})
	_, body := pages.Make(&lost, []string{"application/json"})
	var problem struct {
		Type, Title, Detail string
		Status              int
		RequestID           string `json:"request_id"`
	}
	if err := json.Unmarshal(body, &problem); err != nil || problem.Type != "about:blank" || problem.Status != 502 ||
		problem.Title != "Bad Gateway" || problem.Detail != lost.Reason || problem.RequestID != lost.RequestID {
		t.Errorf("%s: %v", body, err)
	}
	_, body = pages.Make(&lost, []string{"text/html"})
	for _, want := range []string{"<title>502 Bad Gateway</title>", "worker &lt;lost&gt;.", "id&#34;&amp;1", "lang="} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}

func TestAPageOfTheUserComesFirst(t *testing.T) {
	pages := open(t, Config{Pages: map[string]string{
		"5xx": write(t, "5xx.html", "<p>5xx $request_id"), "503": write(t, "503.txt", "busy"),
		"404": write(t, "e.json", "{}"),
	}})
	for _, c := range []struct {
		status            int
		accept, kind, got string
	}{
		{502, "*/*", "text/html; charset=utf-8", "<p>5xx id&#34;&amp;1"},
		{502, "application/json", "application/problem+json", ""},
		{502, "text/plain", "text/plain; charset=utf-8", ""},
		{503, "*/*", "text/plain; charset=utf-8", "busy"},
		{404, "application/json", "application/problem+json", "{}"},
		{400, "*/*", "text/plain; charset=utf-8", "400 Bad Request: worker <lost>\n"},
	} {
		f := lost
		f.Status = c.status
		kind, body := pages.Make(&f, []string{c.accept})
		if kind != c.kind || c.got != "" && string(body) != c.got {
			t.Errorf("%d for %s: %s, %q", c.status, c.accept, kind, body)
		}
	}
}

func TestAFixedFormatDoesNotDependOnTheClient(t *testing.T) {
	for format, want := range map[string]string{
		"json": problem.contentType, "html": hyper.contentType, "text": text.contentType,
	} {
		pages := open(t, Config{Format: format, Pages: map[string]string{"404": write(t, "404.html", "x")}})
		if got, _ := pages.Make(&lost, []string{"text/html, application/json"}); got != want || pages.Varies() {
			t.Errorf("%s: %s", format, got)
		}
		if _, body := pages.Make(&Failure{Status: 404}, nil); string(body) != "x" {
			t.Errorf("%s: %q", format, body)
		}
	}
}

func TestPagesThatMakeNoSenseAreRefused(t *testing.T) {
	page := func(status, file string) Config { return Config{Pages: map[string]string{status: file}} }
	for name, c := range map[string]Config{
		"a format that is none":  {Format: "xml"},
		"a status that is none":  page("200", write(t, "a.html", "x")),
		"a class that is none":   page("3xx", write(t, "a.html", "x")),
		"a status with a sign":   page("+404", write(t, "a.html", "x")),
		"a file that is none":    page("404", filepath.Join(t.TempDir(), "a.html")),
		"a folder":               page("404", t.TempDir()),
		"a file of another type": page("404", write(t, "a.png", "x")),
		"a file that is large":   page("404", write(t, "a.html", strings.Repeat("x", mostBytes+1))),
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
