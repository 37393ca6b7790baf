// Package websocket_test tests WebSockets over every version of HTTP, end to end.
package websocket_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestMain(m *testing.M) { e2etest.Main(m) }
