// Package faults_test makes each fault happen for real, against real worker and
// server processes, and checks what the client, the worker and the server make
// of it.
package faults_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){
		"stranger":  strangerRole,
		"handler":   handlerRole,
		"slots":     slotsRole,
		"scribbler": scribblerRole,
		"honest":    honestRole,
		"vandal":    vandalRole,
		"prober":    proberRole,
		"executor":  executorRole,
		"jammer":    jammerRole,
		"server":    serverRole,
	})
}

// must ends a role that cannot go on.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
