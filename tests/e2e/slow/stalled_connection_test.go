package slow_test

import (
	"crypto/tls"
	"testing"

	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// A client that takes nothing of a connection over HTTP/2 loses all of its requests: none of
// their workers hears that the client has left.
func TestEveryRequestOfAStalledConnectionHasATooSlowClient(t *testing.T) {
	s, worker := e2etest.StartBoth(t, e2etest.Impatient)
	for _, secure := range []bool{false, true} {
		c, id := rawclient.DialHTTP2(t, s.Addr, nil), "clear"
		if secure {
			e := s.Secure(t)
			security := &tls.Config{RootCAs: e.Roots, ServerName: "localhost", NextProtos: []string{"h2"}}
			c, id = rawclient.DialHTTP2(t, e.Addr, security), "secure"
		}
		c.TakeLittle()
		harness.Check(t, c.Frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
		harness.Check(t, c.Frames.WriteWindowUpdate(0, 1<<30))
		harness.Check(t, c.Begin(1, true, rawclient.Fields("GET", "/wait?flush&id="+id)...))
		worker.AwaitSaid(t, "waiting "+id)
		harness.Check(t, c.Begin(3, true, rawclient.Fields("GET", "/flood?id="+id)...))
		worker.AwaitSaid(t, "flood "+id+": worker: request cancelled: client too slow")
		worker.AwaitSaid(t, "wait "+id+": context canceled, worker: request cancelled: client too slow")
	}
}
