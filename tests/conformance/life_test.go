package conformance_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

var lifeCases = []conformanceCase{
	{promise: "a worker that drains finishes what is running, and takes nothing new", plainly: true,
		config: func(c *server.Config) { c.QueueTime = 100 * time.Millisecond }, check: func(t *testing.T, r *rig) {
			c, id := r.upload(t, "respond 200; flush; read; write 7; end")
			response := c.response("POST")
			r.driver.terminate()
			r.driver.await(t, "-", "draining 0")
			harness.Eventually(t, "the link to take nothing new", func() bool {
				other, _ := r.ask(t, "GET", "respond 200; end", nil)
				harness.ReadAll(t, other.Body)
				return other.StatusCode == http.StatusServiceUnavailable
			})
			c.chunk(content(1, 100))
			c.finish()
			wantPattern(t, response.Body, 7)
			wantRest(t, wantBody(t, r.driver.story(t, id)[2:], content(1, 100)), "read ok", "write ok", "end ok")
			if status := r.driver.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			r.driver.await(t, "-", "drained 0")
			r.driver.checkCounters(t)
			if st := r.server.Router.Stats(); st.Lost != 0 || st.Evicted != 0 {
				t.Errorf("the link did not end in order: %+v", st)
			}
		}},
	{promise: "a request may come back to a link that it was taken back from", alone: true, plainly: true,
		check: func(t *testing.T, r *rig) {
			response, _ := r.ask(t, "GET", "respond 200; end", nil)
			harness.ReadAll(t, response.Body) // from now on the driver is the one that was idle last
			harness.Eventually(t, "the link to be idle", func() bool {
				return r.server.Router.Stats().ActiveStreams == 0
			})
			other := startDriver(t, r.sdk, r.server.Socket)
			harness.Eventually(t, "the other link", func() bool { return r.server.Router.Stats().Links == 2 })
			r.driver.Stop()
			other.Stop()
			c, id := r.open(t, "POST", "read; respond 200; write 5; end", "Content-Length: 0")
			harness.Eventually(t, "the request to go to the other link", func() bool {
				return r.server.Router.Stats().Retried == 1
			})
			r.driver.Continue()
			response = c.response("POST")
			wantStatus(t, response, 200)
			wantPattern(t, response.Body, 5)
			r.driver.wantStory(t, id, endLine(2), "read ok", "respond ok", "write ok", "end ok")
			if n := r.server.Router.Stats().Retried; n != 2 {
				t.Errorf("the request was given to a link %d times, want 3", n+1)
			}
			other.Continue()
			harness.Eventually(t, "the other link to pass it over", func() bool {
				return r.server.Router.Stats().ActiveStreams == 0
			})
			other.terminate()
			if status := other.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		}},
	{promise: "a server that was killed is noticed, and its successor is served", alone: true, plainly: true,
		check: func(t *testing.T, r *rig) {
			s := harness.StartServerProcess(t)
			d := startDriver(t, r.sdk, s.Socket)
			other := &rig{
				sdk: r.sdk, door: plain, server: &harness.Server{Addr: s.Addr}, url: "http://" + s.Addr, driver: d,
			}
			hello, _ := other.request(t, "GET", "respond 200; write 5; end", nil)
			for round := range 3 {
				s.AwaitAnswer(hello)
				reads, reading := other.upload(t, "read; respond 200; end")
				reads.chunk([]byte("some"))
				d.await(t, reading, "slot 2")
				writes, writing := other.open(t, "GET", "respond 200; write 4000000000; end")
				wantNext(t, writes.response("GET").Body, pattern[:10])
				_, waiting := other.open(t, "GET", "await-cancel")
				d.await(t, waiting, "begin")
				s.Signal(syscall.SIGKILL)
				s.Kill()
				wantLast(t, d.story(t, reading), "read cancelled 8")
				wantLast(t, d.story(t, writing), "write cancelled 8")
				wantLast(t, d.story(t, waiting), "await-cancel cancelled 8")
				d.awaitNth(t, "-", "gone 0", round+1)
				s.Restart()
				d.awaitNth(t, "-", "attached 0", round+2)
			}
			s.AwaitAnswer(hello)
			d.terminate()
			if status := d.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		}},
	{promise: "a worker whose server is gone can be ended", alone: true, plainly: true,
		check: func(t *testing.T, r *rig) {
			s := harness.StartServerProcess(t)
			d := startDriver(t, r.sdk, s.Socket)
			d.await(t, "-", "attached 0")
			s.Kill()
			d.await(t, "-", "gone 0")
			d.terminate()
			if status := d.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		}},
	{promise: "a worker that is refused says why", alone: true, plainly: true, check: func(t *testing.T, r *rig) {
		d := startDriver(t, r.sdk, r.server.Socket, "UPLOAD_RESPONSE_POOL=nobody")
		if status := d.Wait(); status != 3 {
			t.Errorf("exit status %d", status)
		}
		if line := d.await(t, "-", "refused "); !strings.Contains(line, `"nobody"`) {
			t.Errorf("it says %q", line)
		}
	}},
}
