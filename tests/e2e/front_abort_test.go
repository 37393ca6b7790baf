package e2e_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestAWorkerHearsOfAClientThatLeavesThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		before := v.s.Router.Stats().ClientGone
		uploading := v.converse("/echo?id="+v.id("up"), "some")
		uploading.hear("some")
		uploading.leave()
		v.wantSaid("echo %s: 4 bytes, worker: request cancelled: client gone", v.id("up"))

		ctx, cancel := context.WithCancel(context.Background())
		downloading := v.do(v.request("GET", "/flood?id="+v.id("down"), nil).WithContext(ctx))
		_, err := io.CopyN(io.Discard, downloading.Body, 300000)
		harness.Check(v, err)
		cancel()
		v.wantSaid("flood %s: worker: request cancelled: client gone", v.id("down"))

		ctx, cancel = context.WithCancel(context.Background())
		v.do(v.request("GET", "/wait?flush&id="+v.id("still"), nil).WithContext(ctx))
		v.wantSaid("waiting %s", v.id("still"))
		cancel()
		v.wantSaid("wait %s: context canceled", v.id("still"))
		harness.Eventually(v, "three clients to be counted as gone", func() bool { return v.s.Router.Stats().ClientGone == before+3 })
		v.s.AwaitRest(v)
	})
}

// Over HTTP/2 the stream of a HEAD request ends with the headers of its response.
func TestAClientThatHasTheWholeResponseToHEADIsNotTakenForGone(t *testing.T) {
	throughAllDoors(t, func(c *server.Config) { c.ResponseTimeout = 300 * time.Millisecond }, func(v *visitor) {
		response := v.do(v.request("HEAD", "/wait?flush&id="+v.id("head"), nil))
		if response.StatusCode != http.StatusOK {
			v.Errorf("%s", response.Status)
		}
		v.wantSaid("wait %s: context canceled, worker: request cancelled: deadline passed", v.id("head"))
		if n := v.s.Router.Stats().ClientGone; n != 0 {
			v.Errorf("%d clients are counted as gone", n)
		}
	})
}

func TestAResponseThatAWorkerGivesUpNeverLooksCompleteThroughAnyDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for _, path := range []string{"/abort?flush&n=0", "/abort?flush&n=100", "/panic?flush&n=100000", "/abort?flush&n=100000"} {
			response, err := v.client.Do(v.request("GET", path, nil))
			switch {
			case isTimeout(err):
				v.Error(err)
			case err == nil && response.StatusCode != http.StatusOK:
				v.Errorf("%s: %s", path, response.Status)
			case err == nil: // else it broke off at its very start
				v.wantBroken(response)
			}
		}
		wantStatus(v, v.get("/abort"), http.StatusBadGateway)
		wantStatus(v, v.get("/after"), http.StatusOK)
	})
}

func TestAWorkerKilledInTheMiddleBreaksItsResponsesThroughEachDoor(t *testing.T) {
	route := func(c *server.Config) {
		c.Routes = append(c.Routes, server.Route{Prefix: "/echo", Pool: "victim"})
	}
	throughEachDoor(t, route, func(v *visitor) {
		victim := startApp(v, v.s, poolVariable+"=victim")
		c := v.converse("/echo", "some")
		c.hear("some")
		victim.Kill()
		v.wantBroken(c.response)
		wantStatus(v, v.get("/after"), http.StatusOK)
	})
}

func TestAnEarlyResponseIsReadWholeThroughEachDoor(t *testing.T) {
	throughAllDoors(t, nil, func(v *visitor) {
		for range 5 {
			v := v.newVisit() // HTTP/1.1 loses the connection, perhaps after a client has begun to use it again
			if body := wantStatus(v, v.post("/early?status=409&n=100000", bytesOf(3<<20)), http.StatusConflict); len(body) != 100000 {
				v.Errorf("%d bytes came", len(body))
			}
		}
		stalled := v.converse("/early?status=409&n=1000", "some")
		if body := wantStatus(v, stalled.response, http.StatusConflict); len(body) != 1000 {
			v.Errorf("%d bytes came", len(body))
		}
		wantStatus(v, v.get("/after"), http.StatusOK)
		wantCalm(v.T, v.s)
	})
}

func TestAnUploadGoesOnAfterTheResponseThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		c := v.converse("/early?id="+v.id("on")+"&status=200&n=5&flush&read=10000000", "")
		c.hear(strings.Repeat("\x00", 5))
		c.say(text(1000000))
		if rest := c.finish(); rest != "" {
			v.Errorf("%d bytes more", len(rest))
		}
		v.wantSaid("early %s: 1000000 bytes, EOF", v.id("on"))
	})
}

// continued notes when the client is told to continue.
func continued(r *http.Request) (*http.Request, *atomic.Bool) {
	told := new(atomic.Bool)
	trace := &httptrace.ClientTrace{Got100Continue: func() { told.Store(true) }}
	r.Header.Set("Expect", "100-continue")
	return r.WithContext(httptrace.WithClientTrace(r.Context(), trace)), told
}

func TestA100ContinueComesOnlyOnceAWorkerReadsThroughEachDoor(t *testing.T) {
	route := func(c *server.Config) { c.Routes = append(c.Routes, server.Route{Prefix: "/nobody", Pool: "nobody"}) }
	throughEachDoor(t, route, func(v *visitor) {
		busy := startHold(v, v.s)
		request, told := continued(v.request("POST", "/upload?id="+v.id("expects"), strings.NewReader(text(1000))))
		answer := make(chan *http.Response, 1)
		go func() {
			response, err := v.client.Do(request)
			if err != nil {
				v.Error(err)
			}
			answer <- response
		}()
		harness.Eventually(v, "the request to wait", func() bool { return v.s.Router.Stats().Waiting == 1 })
		for range 3 { // for as long as it takes to be answered
			wantStatus(v, v.get("/nobody"), http.StatusServiceUnavailable)
		}
		if told.Load() {
			v.Fatal("the client was told to continue although no worker has its request")
		}
		busy.finish()
		busy.wantEnd()
		if response := <-answer; response != nil && wantStatus(v, response, http.StatusOK) != "1000 bytes" {
			v.Error("the upload did not arrive")
		}
		if !told.Load() {
			v.Error("the client was never told to continue")
		}
	}, lanesVariable+"=1")
}

func TestAWorkerThatDoesNotReadSendsNo100ContinueThroughAnyDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for _, query := range []string{"status=409&n=5", "status=409&n=5&flush", "status=200&n=100000"} {
			request, told := continued(v.request("POST", "/early?"+query, strings.NewReader("12345")))
			if response := v.do(request); len(harness.ReadAll(v, response.Body)) < 5 || told.Load() {
				v.Errorf("%s: %s, told to continue: %v", query, response.Status, told.Load())
			}
		}
	})
}

func TestAClientThatStopsSendingIsCutOffThroughEachDoor(t *testing.T) {
	throughAllDoors(t, impatient, func(v *visitor) {
		begun := v.converse("/echo?id="+v.id("begun"), "12345")
		begun.hear("12345")
		v.wantBroken(begun.response)
		v.wantSaid("echo %s: 5 bytes, worker: request cancelled: client too slow", v.id("begun"))
		early := v.converse("/upload?id="+v.id("stops"), "12345")
		wantStatus(v, early.response, http.StatusRequestTimeout)
		v.wantSaid("upload %s: 5 bytes, worker: request cancelled: client too slow", v.id("stops"))
	})
}

// Requests of one client share a connection where the protocol lets them.
func TestAClientThatStopsReadingHoldsUpOnlyThatResponseThroughEachDoor(t *testing.T) {
	throughAllDoors(t, func(c *server.Config) { c.ClientTimeout = 3 * time.Second }, func(v *visitor) {
		stalled := v.get("/flood?id=" + v.id("stalled"))
		for range 5 {
			if got := wantStatus(v, v.post("/copy", strings.NewReader(text(1<<20))), http.StatusOK); got != text(1<<20) {
				v.Fatalf("%d bytes came back", len(got))
			}
		}
		v.wantSaid("flood %s: worker: request cancelled: client too slow", v.id("stalled"))
		v.wantBroken(stalled)
	})
}

func TestUploadsThatNobodyReadsHoldUpNoOthersThroughEachDoor(t *testing.T) {
	limit := func(c *server.Config) { c.ResponseTimeout = 2 * time.Second }
	throughAllDoors(t, limit, func(v *visitor) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range 3 {
			stuck := v.request("POST", "/wait?flush&id="+v.id("stuck"), io.LimitReader(&endless{}, 1<<40)).WithContext(ctx)
			v.do(stuck)
		}
		for range 5 {
			if got := wantStatus(v, v.post("/upload", bytesOf(1<<20)), http.StatusOK); got != "1048576 bytes" {
				v.Fatalf("%q", got)
			}
		}
		if v.major > 1 { // HTTP/1.1 says nothing of a client that leaves before what it has not read yet
			cancel()
		}
		v.wantSaid("wait %s: context canceled", v.id("stuck"))
	})
}

func TestShutdownLetsExchangesFinishThroughEachDoor(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			s, worker := startBoth(t, nil)
			v := newVisitor(t, d, s, worker, s.Secure(t))
			c := v.converse("/echo", "before ")
			c.hear("before ")
			stopped := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
				defer cancel()
				stopped <- s.HTTP.Shutdown(ctx)
			}()
			harness.Eventually(t, "new connections to be refused", func() bool {
				conn, err := net.Dial("tcp", s.Addr)
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
			c.say("after")
			c.hear("after")
			if rest := c.finish(); rest != "" {
				t.Errorf("%q after the end", rest)
			}
			v.client.CloseIdleConnections()
			harness.Check(t, <-stopped)
		})
	}
}
