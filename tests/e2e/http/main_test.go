// Package http_test tests what HTTP promises, end to end: framing, bodies, trailers, early
// and broken responses, in every version.
package http_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestMain(m *testing.M) { e2etest.Main(m) }
