// Package hostile_test sends requests of HTTP/1.1 that are malformed, ambiguous or
// meant badly, byte for byte, to a real server with a real worker. The rows are data,
// a file for each part of a request; row_test.go says what a row is.
//
// "make test-peers" sends the same rows to nginx and HAProxy, and writes down where
// they differ: docs/http-conformance.md.
package hostile_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"witness": runWitness})
}
