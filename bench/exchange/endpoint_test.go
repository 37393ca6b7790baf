package exchange

import (
	"testing"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/peers"
)

func TestTargetsOfANameAreOneEndpoint(t *testing.T) {
	list := endpointsOf([]peers.Target{
		{Name: "a", Protocols: []string{load.H1}, Address: "x:1", Servers: []int{7}},
		{Name: "b", Protocols: []string{load.H1}, Address: "x:2"},
		{Name: "a", Protocols: []string{load.TLS, load.H2}, Address: "x:3"},
	})
	if len(list) != 2 || list[0].at[load.H1] != "x:1" || list[0].at[load.H2] != "x:3" || list[0].server[0] != 7 {
		t.Errorf("%+v %+v", list[0], list[1])
	}
	if _, ok := list[1].target(load.CaseUpload, load.H3); ok {
		t.Error("a protocol that it does not speak")
	}
}
