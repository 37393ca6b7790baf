package peers

import (
	"reflect"
	"testing"

	"github.com/wavey-ai/upload-response/bench/load"
)

func TestTargetIsReadFromItsText(t *testing.T) {
	for text, want := range map[string]Target{
		"a=http://127.0.0.1:80": {Name: "a", Protocols: []string{load.H1}, Address: "127.0.0.1:80"},
		"a=https://127.0.0.1:443/x,pid=1": {Name: "a", Protocols: []string{load.TLS, load.H2}, Address: "127.0.0.1:443",
			Prefix: "/x", Servers: []int{1}},
		"a=h3://127.0.0.1:443": {Name: "a", Protocols: []string{load.H3}, Address: "127.0.0.1:443"},
		"a=unix:/tmp/s,pid=1,pid=2,worker=33": {Name: "a", Protocols: []string{load.H1}, Address: "unix:/tmp/s",
			Servers: []int{1, 2}, Workers: []int{33}},
	} {
		got, err := ParseTarget(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "=http://127.0.0.1:80", "a=http://127.0.0.1", "a=ftp://h:1",
		"a=http://h:1,pid=x", "a=http://h:1,cpu=1"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
