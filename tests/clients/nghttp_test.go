package clients_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestNghttpUploadsSeveralFilesAtOnce(t *testing.T) {
	nghttp := tool(t, "nghttp", "nghttp2-client")
	upload := filepath.Join(t.TempDir(), "upload")
	harness.Check(t, os.WriteFile(upload, []byte(text(1<<20)), 0o600))
	p := open(t)
	for _, url := range []string{p.clear, p.safe} {
		for _, c := range []struct {
			path    string
			args    []string
			status  string
			answers int
			want    string
		}{
			{"/digest", []string{"-d", upload, "-m", "5"}, "200", 5, "1048576 "},
			{"/digest", []string{"-d", upload, "-m", "5", "-w", "16", "-W", "17"}, "200", 5, "1048576 "},
			{"/digest", []string{"-d", upload, "--expect-continue"}, "200", 1, ":status: 100"},
			{"/refuse", []string{"-d", upload, "--expect-continue"}, "409", 1, "not that"},
			{"/sum", []string{"-d", upload, "--trailer", "x-sum: 42"}, "200", 1, "x-got-sum: 42"},
			{"/file", []string{"-m", "20"}, "200", 20, "content-length: 100000"},
			{"/file", []string{"-H", ":method: HEAD"}, "200", 1, "content-length: 100000"},
		} {
			got, _ := run(t, nghttp, append(append([]string{"-v", "--timeout=60s"}, c.args...), url+c.path)...)
			if n := strings.Count(got, ":status: "+c.status); n != c.answers || !strings.Contains(got, c.want) {
				t.Errorf("%s %q: %d answers, want %d; is there %q: %v", url+c.path, c.args, n, c.answers, c.want,
					strings.Contains(got, c.want))
			}
			if strings.Contains(got, "error_code=PROTOCOL_ERROR") ||
				strings.Contains(got, "error_code=INTERNAL_ERROR") || strings.Contains(got, "FLOW_CONTROL") {
				t.Errorf("%s %q:\n%s", url+c.path, c.args, got)
			}
		}
	}
}

func TestEveryRequestOfH2loadSucceeds(t *testing.T) {
	h2load := tool(t, "h2load", "nghttp2-client")
	upload := filepath.Join(t.TempDir(), "upload")
	harness.Check(t, os.WriteFile(upload, []byte(text(100000)), 0o600))
	p := open(t)
	for _, url := range []string{p.clear, p.safe} {
		for _, args := range [][]string{
			{"-n", "2000", "-c", "8", "-m", "20"},
			{"-n", "500", "-c", "4", "-m", "30", "-d", upload},
			{"-n", "500", "-c", "4", "--h1", "-d", upload},
		} {
			path := "/file"
			if len(args) > 6 {
				path = "/echo"
			}
			got, _ := run(t, h2load, append(args, url+path)...)
			if want := args[1] + " succeeded, 0 failed, 0 errored, 0 timeout"; !strings.Contains(got, want) ||
				!strings.Contains(got, "status codes: "+args[1]+" 2xx") {
				t.Errorf("%s %q:\n%s", url+path, args, got)
			}
		}
	}
}
