package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// status returns the status of a request.
func (s *adminSite) status(t *testing.T) int {
	t.Helper()
	response, err := http.Get(s.url + "/echo")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	return response.StatusCode
}

// A drained app finishes what it has, and gets nothing more until somebody says so: undrain, restart or scale.
func TestADrainedAppServesAgainWhenItIsTold(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := openAdminSite(t, "--worker", "default="+self+" worker echo --log-level warn", "--workers", "2")
	eventually(t, "the workers", func() bool { return strings.Contains(s.ask(t, "status"), "2 of 2") })
	upload, response := beginEcho(t, s.url, "begun ")
	for n, again := range [][]string{{"undrain", "default"}, {"restart", "default"}, {"scale", "default=3"}} {
		if got := s.ask(t, "drain", "default"); n == 0 && got != "default gets no more requests, in progress: 1\n" {
			t.Errorf("drain says %q", got)
		}
		if status := s.status(t); status != http.StatusServiceUnavailable {
			t.Errorf("a drained app answers with %d", status)
		}
		if n == 0 {
			if got := s.ask(t, "status"); !strings.Contains(got, "drained, requests in progress: 1") {
				t.Errorf("the status is\n%s", got)
			}
			_, _ = upload.Write([]byte("and ended"))
			_ = upload.Close()
			if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "and ended" {
				t.Errorf("the request that ran ends with %q, %v", rest, err)
			}
			s.ask(t, "drain", "default") // once more changes nothing
		}
		var answer admin.Status
		if err := json.Unmarshal([]byte(s.ask(t, "status", "--json")), &answer); err != nil ||
			answer.Apps[0].State != admin.AppDrained || answer.Apps[0].Workers != 2 {
			t.Errorf("%+v, %v", answer.Apps, err)
		}
		s.ask(t, again...)
		eventually(t, "an answer after "+again[0], func() bool { return s.status(t) == http.StatusOK })
	}
	if n := strings.Count(s.err.String(), `msg="app drained" app=default pool=default`); n != 3 {
		t.Errorf("the log says %d times that the app was drained, want 3", n)
	}
	_, stderr, status := call(s.env, "drain", "other")
	if status != 1 || !strings.Contains(stderr, `there is no app "other"`) {
		t.Errorf("status %d, %q", status, stderr)
	}
}
