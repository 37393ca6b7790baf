package conformance_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// rig is a server, a driver that is attached to it, and a door for clients.
type rig struct {
	sdk    sdk
	door   door
	server *harness.Server
	client *http.Client
	url    string // of the door
	driver *driver
	count  int // of ids
}

// door is a way in for clients: a version of HTTP, in the clear or not.
type door struct {
	major  int
	secure bool
}

// plain is HTTP/1.1 in the clear, where clients can say what they like.
var plain = door{1, false}

var otherDoors = map[string]door{"http1-tls": {1, true}, "h2c": {2, false}, "http2": {2, true}, "http3": {3, true}}

func startRig(t *testing.T, sdk sdk, door door, change func(*server.Config), env ...string) *rig {
	t.Helper()
	s := harness.Start(t, func(c *server.Config) {
		// The cases decide which uploads wait, and on a busy machine some do for long.
		c.StallTime, c.ClientTimeout = 0, waitingTime
		c.Memory, c.SlotSize, c.HeaderLimit, c.MaxLinks = 32<<20, slotSize, slotSize, 4
		c.LinkMemory = 4 << 20
		if change != nil {
			change(c)
		}
	})
	r := &rig{sdk: sdk, door: door, server: s, url: s.URL}
	r.client = harness.NewClient(t, door.major, r.security(t))
	r.client.Timeout = waitingTime
	r.driver = startDriver(t, sdk, s.Socket, env...)
	harness.Eventually(t, "the driver to attach", func() bool {
		return s.Router.Stats().Attached > 0 || r.driver.ended()
	})
	return r
}

// security opens a secure entry if the door is one, and returns what its clients need.
func (r *rig) security(t *testing.T) *tls.Config {
	t.Helper()
	if !r.door.secure {
		return nil
	}
	e := r.server.Secure(t)
	r.url = e.URL
	return &tls.Config{RootCAs: e.Roots}
}

// waitingTime is how long an upload of the suite may wait for its turn, and a whole request may
// take: of many that are in flight, one may have its turn long after the others.
const waitingTime = 6 * harness.Patience

// slotSize is the slot size of the suite's servers: small, so that a few hundred
// kilobytes are many slots.
const slotSize = 16 << 10

// id returns a new name for a request.
func (r *rig) id() string {
	r.count++
	return fmt.Sprintf("q%d", r.count)
}

// drain ends the driver as SIGTERM does, and looks at its accounts.
func (r *rig) drain(t *testing.T) {
	t.Helper()
	r.driver.terminate()
	if status := r.driver.Wait(); status != 0 {
		t.Errorf("the driver's exit status is %d", status)
	}
	r.driver.checkCounters(t)
}

// driver is the process of a driver and what it has said.
type driver struct {
	*harness.Process
	said *transcripts
}

func startDriver(t testing.TB, sdk sdk, socket string, env ...string) *driver {
	t.Helper()
	said := &transcripts{lines: map[string][]string{}, news: make(chan struct{})}
	return &driver{sdk.start(t, said, append(env, harness.SocketVariable+"="+socket)...), said}
}

// terminate asks the driver to drain its links and end.
func (d *driver) terminate() { d.Signal(syscall.SIGTERM) }

// ended reports whether the process has ended.
func (d *driver) ended() bool {
	select {
	case <-d.Ended():
		return true
	default:
		return false
	}
}

// await waits until the driver has said a line of an id that begins with a text, and
// returns the line.
func (d *driver) await(t testing.TB, id, text string) string {
	t.Helper()
	return d.awaitNth(t, id, text, 1)
}

// awaitNth is await for the nth such line.
func (d *driver) awaitNth(t testing.TB, id, text string, n int) string {
	t.Helper()
	patience := time.After(harness.Patience)
	ended := d.Ended()
	for {
		lines, news := d.said.of(id)
		for _, line := range lines {
			if strings.HasPrefix(line, text) {
				if n--; n == 0 {
					return line
				}
			}
		}
		n += countPrefix(lines, text)
		if ended == nil {
			t.Fatalf("the driver has ended without %q of %s; it said\n%s", text, id, strings.Join(lines, "\n"))
		}
		select {
		case <-news:
		case <-ended:
			ended = nil // what it said last is there now
		case <-patience:
			t.Fatalf("waited in vain for %q of %s; the driver said\n%s", text, id, strings.Join(lines, "\n"))
		}
	}
}

func countPrefix(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, text) {
			n++
		}
	}
	return n
}

// story waits until a request is over, and returns all that was said of it between
// its begin and its end.
func (d *driver) story(t testing.TB, id string) []string {
	t.Helper()
	d.await(t, id, "over")
	lines, _ := d.said.of(id)
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "begin ") || lines[len(lines)-1] != "over" {
		t.Fatalf("the lines of %s are %q", id, lines)
	}
	return lines[1 : len(lines)-1]
}

// wantStory fails the test unless just this was said of a request.
func (d *driver) wantStory(t testing.TB, id string, want ...string) {
	t.Helper()
	if got := d.story(t, id); !slices.Equal(got, want) {
		t.Errorf("the driver said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// checkCounters compares what the SDK counted with what the driver said, if it
// counts.
func (d *driver) checkCounters(t testing.TB) {
	t.Helper()
	counted := map[string]int{}
	links, _ := d.said.of("-")
	for _, line := range links {
		if text, ok := strings.CutPrefix(line, "counters "); ok {
			for _, pair := range strings.Fields(text)[1:] {
				name, value, _ := strings.Cut(pair, "=")
				n, err := strconv.Atoi(value)
				harness.Check(t, err)
				counted[name] += n
			}
		}
	}
	if len(counted) == 0 {
		return
	}
	begun, ended, unsure := d.said.count("begin "), 0, 0
	for _, verb := range []string{"end", "trailers", "close"} {
		ended += d.said.count(verb + " ok")
		unsure += d.said.count(verb + " cancelled") // ended or not, by then
	}
	if counted["requests"] != begun || counted["active"] != 0 {
		t.Errorf("the SDK counted %v, the driver began %d", counted, begun)
	}
	if n := counted["ended"]; n < ended || n > ended+unsure {
		t.Errorf("the SDK counted %v, the driver ended %d", counted, ended)
	}
	if n := counted["aborted"]; n < begun-ended-unsure || n > begun-ended {
		t.Errorf("the SDK counted %v, the driver began %d and ended %d", counted, begun, ended)
	}
}

// transcripts is what a driver has said, by id. The driver's output is written to
// it.
type transcripts struct {
	mu    sync.Mutex
	part  []byte // of a line
	lines map[string][]string
	news  chan struct{} // closed at the next line
}

// Write takes output.
func (s *transcripts) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part = append(s.part, p...)
	for {
		line, rest, ok := bytes.Cut(s.part, []byte("\n"))
		if !ok {
			break
		}
		id, text, _ := strings.Cut(string(line), " ")
		s.lines[id] = append(s.lines[id], text)
		s.part = rest
	}
	close(s.news)
	s.news = make(chan struct{})
	return len(p), nil
}

// of returns the lines of an id so far, and what is closed when there are more of
// any.
func (s *transcripts) of(id string) ([]string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines[id]), s.news
}

// count returns how many lines begin with a text.
func (s *transcripts) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lines := range s.lines {
		n += countPrefix(lines, text)
	}
	return n
}
