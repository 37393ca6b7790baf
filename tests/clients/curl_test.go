package clients_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// curlWay is a way for curl to reach a server.
type curlWay struct {
	name   string
	needs  string // of curl's features
	safe   bool
	flags  []string
	proto  string // as the worker sees it
	status string // how the response begins
}

var curlWays = []curlWay{
	{"HTTP/1.1", "", false, []string{"--http1.1"}, "HTTP/1.1", "HTTP/1.1 "},
	{"HTTP/1.1 over TLS", "SSL", true, []string{"--http1.1"}, "HTTP/1.1", "HTTP/1.1 "},
	{"HTTP/2 in the clear", "HTTP2", false, []string{"--http2-prior-knowledge"}, "HTTP/2.0", "HTTP/2 "},
	{"HTTP/2", "HTTP2", true, []string{"--http2"}, "HTTP/2.0", "HTTP/2 "},
	{"HTTP/3", "HTTP3", true, []string{"--http3-only"}, "HTTP/3.0", "HTTP/3 "},
}

// curl runs curl in one of the ways, and returns the headers and the body that it gets.
func (p *place) curl(t *testing.T, way curlWay, path string, args ...string) (headers, body string) {
	t.Helper()
	url := p.clear
	if way.safe {
		url = p.safe
	}
	dump := filepath.Join(t.TempDir(), "headers")
	args = append(append([]string{"-sSk", "--max-time", "60", "-D", dump}, way.flags...), args...)
	body, _ = run(t, tool(t, "curl", "curl"), append(args, url+path)...)
	text, err := os.ReadFile(dump)
	harness.Check(t, err)
	return string(text), body
}

func TestCurlByEveryVersionThatItSpeaks(t *testing.T) {
	features, _ := run(t, tool(t, "curl", "curl"), "--version")
	upload := filepath.Join(t.TempDir(), "upload")
	content := text(5 << 20)
	digest := sha256.Sum256([]byte(content))
	sum := hex.EncodeToString(digest[:])
	harness.Check(t, os.WriteFile(upload, []byte(content), 0o600))
	for _, way := range curlWays {
		t.Run(way.name, func(t *testing.T) {
			if !strings.Contains(features, way.needs) {
				t.Skipf("this curl does not know %s: install one that does", way.needs)
			}
			p := open(t)
			for _, c := range []struct {
				name, path string
				args       []string
				status     string
				body       string
				header     string // in lower case
				just       string // by this version only
			}{
				{"a GET", "/file", nil, "200", fileText, "content-length: 100000", ""},
				{"an upload", "/echo", []string{"-T", upload}, "200", content, "", ""},
				{"an upload after 100 Continue", "/digest", []string{"-T", upload, "-H", "Expect: 100-continue"}, "200",
					"5242880 " + sum, "", ""},
				{"an upload without a length", "/echo",
					[]string{"-T", upload, "-H", "Content-Length:", "-H", "Transfer-Encoding: chunked"}, "200", content,
					"", "HTTP/1.1"},
				// Some versions of curl take RST_STREAM after a whole response for an error (RFC 9113 section 8.1).
				{"an upload that is refused", "/refuse", []string{"-T", upload, "-H", "Expect: 100-continue"}, "409",
					"not that\n", "", "HTTP/1.1"},
				{"a form", "/echo", []string{"-d", "a=b&c=d"}, "200", "a=b&c=d", "", ""},
				{"a HEAD", "/file", []string{"-I"}, "200", "", "content-length: 100000", ""},
				{"a 204", "/bare", nil, "204", "", "", ""},
				{"a range", "/file", []string{"-r", "10-19"}, "206", fileText[10:20],
					"content-range: bytes 10-19/100000", ""},
				{"a 304", "/file", []string{"-H", `If-None-Match: "v1"`}, "304", "", `etag: "v1"`, ""},
				{"a trailer", "/sum", []string{"-d", "body"}, "200", "body", "x-got-sum: none", ""},
			} {
				if c.just != "" && c.just != way.proto {
					continue
				}
				headers, body := p.curl(t, way, c.path, c.args...)
				if c.name == "a HEAD" { // curl prints the headers as the body
					body = ""
				}
				final := headers[strings.LastIndex(headers, way.status):]
				if !strings.HasPrefix(final, way.status+c.status) ||
					!strings.Contains(strings.ToLower(headers), c.header) || body != c.body {
					t.Errorf("%s: %d bytes\n%s", c.name, len(body), headers)
				}
				if strings.Contains(c.name, "after 100") && !strings.Contains(headers, way.status+"100") {
					t.Errorf("%s: it was not told to continue", c.name)
				}
			}
			if got := p.said("PUT "); !slices.Contains(got, way.proto+" /echo") {
				t.Errorf("the uploads came as %q", got)
			}
		})
	}
}

// Over HTTP/2 a client that is reset before it has read the answer takes the upload for
// broken.
func TestCurlSeesThatABigUploadIsRefused(t *testing.T) {
	features, _ := run(t, tool(t, "curl", "curl"), "--version")
	upload := filepath.Join(t.TempDir(), "upload")
	harness.Check(t, os.WriteFile(upload, nil, 0o600))
	harness.Check(t, os.Truncate(upload, 200<<20))
	for _, way := range curlWays {
		t.Run(way.name, func(t *testing.T) {
			if !strings.Contains(features, way.needs) {
				t.Skipf("this curl does not know %s: install one that does", way.needs)
			}
			headers, _ := open(t).curl(t, way, "/refuse", "-T", upload)
			if !strings.Contains(headers, way.status+"409") {
				t.Errorf("the headers are %q", headers)
			}
		})
	}
}
