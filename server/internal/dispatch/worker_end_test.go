package dispatch

import (
	"context"
	"errors"
	"testing"

	"github.com/wavey-ai/upload-response/shm"
)

// How many requests a worker had when it ended, on how many links, and whether one of them
// may be served again.
func TestARequestIsNotServedAgainIfItWasAllThatItsWorkerHad(t *testing.T) {
	exit := WorkerEnd{Known: true, OfItsOwn: true, How: "exit status 1"}
	for name, c := range map[string]struct {
		links []int // requests taken on each link
		end   WorkerEnd
		again bool
	}{
		"alone":                      {[]int{1}, exit, false},
		"alone, and an idle link":    {[]int{1, 0}, exit, false},
		"with another":               {[]int{2}, exit, true},
		"with another on a link":     {[]int{1, 1}, exit, true},
		"alone, and killed":          {[]int{1}, WorkerEnd{Known: true}, true},
		"alone, and nobody knows it": {[]int{1}, WorkerEnd{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTestDispatcherWith(t, func(config *Config) {
				config.Ended = func(_ context.Context, leader int) WorkerEnd {
					if leader != 4711 {
						t.Errorf("asked for process %d", leader)
					}
					return c.end
				}
			})
			var links []*link
			var streams []*Stream
			for _, n := range c.links {
				l, w := d.attach()
				l.leader, l.process = 4711, d.enterProcess(4711)
				links = append(links, l)
				for range n {
					s := d.stream(true)
					d.assign(l, s)
					a, _ := d.take(w, s.id.Load())
					w.Lane(a.Lane).Accept(a.StreamID)
					streams = append(streams, s)
				}
			}
			for _, l := range links {
				l.close(peerGone, errors.New("test"))
			}
			x := streams[0]
			if err := x.interrupted(); !errors.Is(err, errLinkDead) || x.mayRetry(err) != c.again {
				t.Errorf("%v, served again: %v", err, !c.again)
			}
			for _, s := range streams {
				s.served.finish(s, shm.ReasonFinished, false)
			}
		})
	}
}

func TestTheRetriesOfAPoolAreObeyed(t *testing.T) {
	for name, c := range map[string]struct {
		retries        Retries
		served, unused bool // whether a request is given to another worker that was served, that was not
	}{
		"as usual":     {DefaultRetries(), true, true},
		"none":         {Retries{}, false, false},
		"refused only": {Retries{OnRefused: true, Times: 1}, false, true},
		"died only":    {Retries{OnDied: true, Times: 1}, true, false},
		"no times":     {Retries{OnDied: true}, false, false},
	} {
		for _, taken := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				d := newTestDispatcherWith(t, func(config *Config) {
					config.PoolConfigs = map[string]PoolConfig{"default": {Retries: &c.retries}}
				})
				l, w := d.attach()
				x := d.stream(true)
				d.assign(l, x)
				want := c.unused
				if taken {
					a, _ := d.take(w, x.id.Load())
					w.Lane(a.Lane).Accept(a.StreamID)
					want = c.served
				}
				l.close(peerGone, errors.New("test"))
				if got := x.mayRetry(x.interrupted()); got != want {
					t.Errorf("taken %v: given to another %v, want %v", taken, got, want)
				}
				l.finish(x, shm.ReasonFinished, false)
			})
		}
	}
}
