// Package status_test tests what operators see of running requests, and that they can end
// them.
package status_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestMain(m *testing.M) { e2etest.Main(m) }
