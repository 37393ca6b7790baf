package dispatch

import "testing"

func TestManyLanesLeaveAQuarterOfTheBuffersToThoseThatStream(t *testing.T) {
	c := testConfig()
	r := newResponseChunkCache(&c)
	for _, wanted := range []int{1, 16, fewLanes, fewLanes + 16, 256, 2000} {
		g, err := r.plan(wanted)
		if err != nil {
			t.Fatal(err)
		}
		lanes, buffers := int(g.Lanes), int(g.Buffers)
		if lanes > wanted || lanes < min(wanted, fewLanes) || lanes > fewLanes && buffers-lanes < buffers/4 {
			t.Errorf("%d lanes wanted: %d lanes, %d buffers", wanted, lanes, buffers)
		}
	}
}
