// Package slow_test tests slow clients and crowds, end to end: who waits, who is refused,
// and who has to make room.
package slow_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestMain(m *testing.M) { e2etest.Main(m) }
