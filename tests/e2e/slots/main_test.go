// Package slots_test tests the slot-level API, links, pools and memory, end to end: a
// client's socket, the server, shared memory, a worker.
package slots_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestMain(m *testing.M) { e2etest.Main(m) }
