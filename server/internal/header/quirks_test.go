package header

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
)

func TestAWorkerSeesNoCacheControlThatWasNotSent(t *testing.T) {
	for sent, want := range map[string]string{
		"Pragma: no-cache": "Pragma: no-cache",
		"Pragma: no-cache\r\nCache-Control: no-cache":  "Cache-Control: no-cache Pragma: no-cache",
		"Pragma: no-cache\r\nCache-Control: max-age=1": "Cache-Control: max-age=1 Pragma: no-cache",
		"Cache-Control: no-cache":                      "Cache-Control: no-cache",
		"Cache-Control:\r\nPragma: no-cache":           "Cache-Control:  Pragma: no-cache",
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\n" + sent +
			"\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		if got := listOf(AppendRequestFields(nil, r.Header, false)); got != want {
			t.Errorf("%q arrives as %q, want %q", sent, got, want)
		}
	}
}

// listOf returns fields as one text, sorted by name.
func listOf(fields []proto.Field) string {
	var list []string
	for _, f := range fields {
		list = append(list, f.Name+": "+f.Value)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestNetHTTPStillAddsCacheControl(t *testing.T) {
	if addedNoCache == nil {
		t.Error("it does not: quirks_unsafe.go can go")
	}
}
