//go:build autobahn

// Package autobahn_test has the fuzzing client of the Autobahn test suite talk to a
// WebSocket of ours: some 300 cases of RFC 6455. It is written in Python 2, see `make
// test-autobahn`.
package autobahn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) { harness.Main(m, map[string]func(){"echo": runEcho}) }

// verdict is what the suite says of a case.
type verdict struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"`
}

// good are the verdicts that pass: NON-STRICT is allowed by RFC 6455 and not what the
// suite would do, INFORMATIONAL judges nothing.
var good = map[string]bool{"OK": true, "NON-STRICT": true, "INFORMATIONAL": true}

func TestTheAutobahnSuitePasses(t *testing.T) {
	s := harness.Start(t, nil)
	s.StartWorker(t, "echo")
	dir := t.TempDir()
	spec := filepath.Join(dir, "spec.json")
	content := fmt.Appendf(nil, `{"outdir": %q, "servers": [{"agent": "ours", "url": "ws://%s/"}],
		"cases": ["*"], "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {}}`, dir, s.Addr)
	harness.Check(t, os.WriteFile(spec, content, 0o600))
	command := exec.Command(os.Getenv("PYTHON2"), "-m", "autobahntestsuite.wstest", "-m", "fuzzingclient", "-s", spec)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("wstest: %v\n%s", err, out)
	}
	report, err := os.ReadFile(filepath.Join(dir, "index.json"))
	harness.Check(t, err)
	var agents map[string]map[string]verdict
	harness.Check(t, json.Unmarshal(report, &agents))
	count := map[string]int{}
	for id, v := range agents["ours"] {
		count[v.Behavior]++
		if !good[v.Behavior] || !good[v.BehaviorClose] {
			t.Errorf("case %s: %s, close %s", id, v.Behavior, v.BehaviorClose)
		}
	}
	if len(agents["ours"]) < 250 {
		t.Errorf("only %d cases were run", len(agents["ours"]))
	}
	t.Log(count)
}

// runEcho is the worker: it sends every part of a message back.
func runEcho() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		socket, err := worker.AcceptWebSocket(w, r)
		if err != nil {
			return
		}
		for {
			part, err := socket.ReadPart(r.Context())
			if err != nil || socket.WritePart(r.Context(), part.Kind, part.Bytes, part.Final) != nil {
				return
			}
			socket.Release(part)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	_ = worker.Serve(ctx, os.Getenv(harness.SocketVariable), http.HandlerFunc(handler))
}
