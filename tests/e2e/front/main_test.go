// Package front_test tests the server's listeners, end to end: Unix sockets, TLS, PROXY
// headers, what proxies say of clients, and shutdown.
package front_test

import (
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
)

func TestMain(m *testing.M) { e2etest.Main(m) }
