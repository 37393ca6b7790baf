package clients_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// chromium visits a page, and returns what the page reports.
func (p *place) chromium(t *testing.T, url string, flags ...string) map[string]string {
	t.Helper()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
		// Without a port for debugging it would leave when the page has loaded.
		"--ignore-certificate-errors-spki-list=" + p.keyHash(), "--remote-debugging-port=0",
	}, flags...)
	browser := harness.StartCommand(t, io.Discard, exec.Command(tool(t, "chromium", "chromium"), append(args, url)...))
	harness.Eventually(t, "the page to report", func() bool { return len(p.said("report ")) > 0 })
	browser.Signal(syscall.SIGTERM) // so that it ends its own processes
	browser.Wait()
	found := map[string]string{}
	harness.Check(t, json.Unmarshal([]byte(p.said("report ")[0]), &found))
	return found
}

// keyHash is how Chromium names the key of the certificate that it is to believe.
func (p *place) keyHash() string {
	sum := sha256.Sum256(p.Certificate.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestABrowserUploadsAndStreamsByEveryVersionThatItSpeaks(t *testing.T) {
	tool(t, "chromium", "chromium")
	for _, c := range []struct {
		name     string
		secure   bool
		flags    []string
		protocol string // as the page sees it
		proto    string // as the worker does
		socket   string // the same, of the WebSocket
	}{
		{"HTTP/1.1", false, nil, "http/1.1", "HTTP/1.1", "HTTP/1.1"},
		{"HTTP/1.1 over TLS", true, []string{"--disable-http2", "--disable-quic"}, "http/1.1", "HTTP/1.1", "HTTP/1.1"},
		{"HTTP/2", true, []string{"--disable-quic"}, "h2", "HTTP/2.0", "HTTP/2.0"},
		{"HTTP/3", true, []string{"--enable-quic"}, "h3", "HTTP/3.0", "HTTP/1.1"}, // Chromium has none over HTTP/3
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t)
			url, flags := p.clear, c.flags
			if c.secure {
				url = p.safe
			}
			if c.protocol == "h3" {
				flags = append(flags, "--origin-to-force-quic-on="+p.Secure.Addr)
			}
			found := p.chromium(t, url+"/", flags...)
			for _, step := range slices.Sorted(maps.Keys(found)) {
				switch result := found[step]; {
				case step == "protocols" && result != c.protocol:
					t.Errorf("the page was loaded by %s, want %s", result, c.protocol)
				case step == "streamingUpload" && c.protocol == "http/1.1": // which browsers refuse
				case step != "protocols" && result != "ok":
					t.Errorf("%s: %s", step, result)
				}
			}
			if len(found) < 10 {
				t.Errorf("the page reports only %v", found)
			}
			for text, want := range map[string]string{
				"PUT ": c.proto + " /digest", "POST ": c.proto + " /echo", "GET ": c.socket + " /socket",
			} {
				if got := p.said(text); !slices.Contains(got, want) {
					t.Errorf("%s is not in %q", want, got)
				}
			}
		})
	}
}
