package hostile_test

import (
	"net"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// door opens a connection to a server.
type door func(t testing.TB) net.Conn

// patience is how long the client waits for the server to close a connection.
const patience = harness.Patience

// converse sends the texts on a connection of their own, and reads until the server
// closes it. With end, the client says that it will send no more.
func converse(t testing.TB, open door, end bool, texts ...string) rawclient.Transcript {
	t.Helper()
	conn := open(t)
	defer conn.Close()
	return rawclient.Converse(t, conn, headAt(strings.Join(texts, "")), end, texts...)
}

// seenOf returns the target of the request that a response answers; empty: it is not of a
// witness.
func seenOf(a rawclient.Answer) string { return a.Header.Get(seenField) }

// headAt returns which of the requests is HEAD, whose response has no body.
func headAt(text string) int {
	switch before, _, found := strings.Cut(text, "HEAD /"); {
	case found && before == "":
		return 0
	case found && strings.HasSuffix(before, "ahead"):
		return 1
	}
	return -1
}
