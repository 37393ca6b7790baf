package main

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// read returns the body of a response with status 200.
func read(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(body)
}

func TestMetricsAreAtAnAddressOfTheirOwnUntilTheServerEnds(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	url := "http://" + p.found(`msg=ready listen=(\S+)`)
	scrape := "http://" + p.found(`msg=metrics listen=(\S+)`)
	put(t, url+"/digest", []byte("x"))
	eventually(t, "the request in the metrics", func() bool {
		return strings.Contains(read(t, http.DefaultClient, scrape+"/metrics"),
			`ur_http_requests_total{app="digest",code="200",method="PUT",protocol="HTTP/1.1",route="/digest"} 1`)
	})
	for _, path := range []string{"/", "/metrics/x", "/debug/pprof/"} {
		response, err := http.Get(scrape + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	p.signal(unix.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestMetricsCanBeOnAUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "metrics.sock")
	p := startProcess(t, "demo", "--listen", "https://127.0.0.1:0", "--tls-self-signed", "--metrics", "unix:"+socket)
	p.found(`msg=ready`)
	all := read(t, unixClient(t, socket), "http://metrics/metrics")
	if !strings.Contains(all, `ur_tls_certificate_expiry_timestamp_seconds{certificate="self-signed"}`) {
		t.Errorf("no certificate in\n%s", all)
	}
}

func TestAnAddressOfMetricsThatIsTakenIsOneLineThatNamesTheFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	_, stderr, status := call(nil, "serve", "--listen", "127.0.0.1:0", "--metrics", address,
		"--socket", filepath.Join(t.TempDir(), "workers.sock"))
	if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--metrics") {
		t.Errorf("status %d: %s", status, stderr)
	}
	_, stderr, status = call(nil, "serve", "--metrics", "https://"+address)
	if status != 2 || !strings.Contains(stderr, "in the clear") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestWorkersAndHowTheyEndAreInTheMetrics(t *testing.T) {
	t.Parallel()
	p := startProcess(t, "demo", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	scrape := "http://" + p.found(`msg=metrics listen=(\S+)`) + "/metrics"
	old := pid(t, p.found(`link=echo-\d+ pool=echo pid=(\d+)`))
	await := func(what string, patterns ...string) {
		eventually(t, what, func() bool {
			all := read(t, http.DefaultClient, scrape)
			for _, pattern := range patterns {
				if !regexp.MustCompile(`(?m)^` + pattern + `$`).MatchString(all) {
					return false
				}
			}
			return true
		})
	}
	await("both workers of digest", `ur_app_workers\{app="digest",state="running"\} 2`,
		`ur_worker_resident_memory_bytes\{app="digest",worker="digest/1"\} [1-9].*`,
		`ur_worker_start_seconds\{app="digest",worker="digest/0"\} [0-9].*`,
		`ur_worker_exits_total\{app="echo",reason="signal"\} 0`)
	if err := unix.Kill(old, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await("the end of the worker", `ur_worker_exits_total\{app="echo",reason="signal"\} 1`)
}
