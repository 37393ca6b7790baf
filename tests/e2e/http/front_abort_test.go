package http_test

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
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestAWorkerHearsOfAClientThatLeavesThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		before := v.Server.Router.Stats().ClientGone
		uploading := v.Converse("/echo?id="+v.ID("up"), "some")
		uploading.Hear("some")
		uploading.Leave()
		v.WantSaid("echo %s: 4 bytes, worker: request cancelled: client gone", v.ID("up"))

		ctx, cancel := context.WithCancel(context.Background())
		downloading := v.Do(v.Request("GET", "/flood?id="+v.ID("down"), nil).WithContext(ctx))
		_, err := io.CopyN(io.Discard, downloading.Body, 300000)
		harness.Check(v, err)
		cancel()
		v.WantSaid("flood %s: worker: request cancelled: client gone", v.ID("down"))

		ctx, cancel = context.WithCancel(context.Background())
		v.Do(v.Request("GET", "/wait?flush&id="+v.ID("still"), nil).WithContext(ctx))
		v.WantSaid("waiting %s", v.ID("still"))
		cancel()
		v.WantSaid("wait %s: context canceled", v.ID("still"))
		harness.Eventually(v, "three clients to be counted as gone", func() bool {
			return v.Server.Router.Stats().ClientGone == before+3
		})
		v.Server.AwaitRest(v)
	})
}

// Over HTTP/2 the stream of a HEAD request ends with the headers of its response.
func TestAClientThatHasTheWholeResponseToHEADIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	e2etest.ThroughAllDoors(t, func(c *server.Config) { c.ResponseTimeout = 300 * time.Millisecond },
		func(v *e2etest.Visitor) {
			response := v.Do(v.Request("HEAD", "/wait?flush&id="+v.ID("head"), nil))
			if response.StatusCode != http.StatusOK {
				v.Errorf("%s", response.Status)
			}
			v.WantSaid("wait %s: context canceled, worker: request cancelled: deadline passed", v.ID("head"))
			if n := v.Server.Router.Stats().ClientGone; n != 0 {
				v.Errorf("%d clients are counted as gone", n)
			}
		})
}

func TestAResponseThatAWorkerGivesUpNeverLooksCompleteThroughAnyDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, path := range []string{
			"/abort?flush&n=0", "/abort?flush&n=100", "/panic?flush&n=100000", "/abort?flush&n=100000",
		} {
			response, err := v.Client.Do(v.Request("GET", path, nil))
			switch {
			case rawclient.IsTimeout(err):
				v.Error(err)
			case err == nil && response.StatusCode != http.StatusOK:
				v.Errorf("%s: %s", path, response.Status)
			case err == nil: // else it broke off at its very start
				v.WantBroken(response)
			}
		}
		e2etest.WantStatus(v, v.Get("/abort"), http.StatusBadGateway)
		e2etest.WantStatus(v, v.Get("/after"), http.StatusOK)
	})
}

func TestAWorkerKilledInTheMiddleBreaksItsResponsesThroughEachDoor(t *testing.T) {
	t.Parallel()
	route := func(c *server.Config) {
		c.Routes = append(c.Routes, server.Route{Prefix: "/echo", Pool: "victim"})
	}
	e2etest.ThroughEachDoor(t, route, func(v *e2etest.Visitor) {
		victim := e2etest.StartApp(v, v.Server, e2etest.PoolVariable+"=victim")
		c := v.Converse("/echo", "some")
		c.Hear("some")
		victim.Kill()
		v.WantBroken(c.Response)
		e2etest.WantStatus(v, v.Get("/after"), http.StatusOK)
	})
}

func TestAnEarlyResponseIsReadWholeThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughAllDoors(t, nil, func(v *e2etest.Visitor) {
		for range 5 {
			v := v.NewVisit() // HTTP/1.1 loses the connection, perhaps after a client has begun to use it again
			body := e2etest.WantStatus(v, v.Post("/early?status=409&n=100000", e2etest.BytesOf(3<<20)),
				http.StatusConflict)
			if len(body) != 100000 {
				v.Errorf("%d bytes came", len(body))
			}
		}
		stalled := v.Converse("/early?status=409&n=1000", "some")
		if body := e2etest.WantStatus(v, stalled.Response, http.StatusConflict); len(body) != 1000 {
			v.Errorf("%d bytes came", len(body))
		}
		e2etest.WantStatus(v, v.Get("/after"), http.StatusOK)
		e2etest.WantCalm(v.T, v.Server)
	})
}

func TestAnUploadGoesOnAfterTheResponseThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		c := v.Converse("/early?id="+v.ID("on")+"&status=200&n=5&flush&read=10000000", "")
		c.Hear(strings.Repeat("\x00", 5))
		c.Say(e2etest.Text(1000000))
		if rest := c.Finish(); rest != "" {
			v.Errorf("%d bytes more", len(rest))
		}
		v.WantSaid("early %s: 1000000 bytes, EOF", v.ID("on"))
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
	t.Parallel()
	route := func(c *server.Config) {
		e2etest.KeepSlowClients(c)
		c.Routes = append(c.Routes, server.Route{Prefix: "/nobody", Pool: "nobody"})
	}
	e2etest.ThroughEachDoor(t, route, func(v *e2etest.Visitor) {
		busy := e2etest.StartHold(v, v.Server)
		request, told := continued(v.Request("POST", "/upload?id="+v.ID("expects"),
			strings.NewReader(e2etest.Text(1000))))
		answer := make(chan *http.Response, 1)
		go func() {
			response, err := v.Client.Do(request)
			if err != nil {
				v.Error(err)
			}
			answer <- response
		}()
		harness.Eventually(v, "the request to wait", func() bool { return v.Server.Router.Stats().Waiting == 1 })
		for range 3 { // for as long as it takes to be answered
			e2etest.WantStatus(v, v.Get("/nobody"), http.StatusServiceUnavailable)
		}
		if told.Load() {
			v.Fatal("the client was told to continue although no worker has its request")
		}
		busy.Finish()
		busy.WantEnd()
		if response := <-answer; response != nil && e2etest.WantStatus(v, response, http.StatusOK) != "1000 bytes" {
			v.Error("the upload did not arrive")
		}
		if !told.Load() {
			v.Error("the client was never told to continue")
		}
	}, e2etest.LanesVariable+"=1")
}

func TestAWorkerThatDoesNotReadSendsNo100ContinueThroughAnyDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, query := range []string{"status=409&n=5", "status=409&n=5&flush", "status=200&n=100000"} {
			request, told := continued(v.Request("POST", "/early?"+query, strings.NewReader("12345")))
			if response := v.Do(request); len(harness.ReadAll(v, response.Body)) < 5 || told.Load() {
				v.Errorf("%s: %s, told to continue: %v", query, response.Status, told.Load())
			}
		}
	})
}

func TestAClientThatStopsSendingIsCutOffThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughAllDoors(t, e2etest.Impatient, func(v *e2etest.Visitor) {
		begun := v.Converse("/echo?id="+v.ID("begun"), "12345")
		begun.Hear("12345")
		v.WantBroken(begun.Response)
		v.WantSaid("echo %s: 5 bytes, worker: request cancelled: client too slow", v.ID("begun"))
		early := v.Converse("/upload?id="+v.ID("stops"), "12345")
		e2etest.WantStatus(v, early.Response, http.StatusRequestTimeout)
		v.WantSaid("upload %s: 5 bytes, worker: request cancelled: client too slow", v.ID("stops"))
	})
}

// Requests of one client share a connection where the protocol lets them.
func TestAClientThatStopsReadingHoldsUpOnlyThatResponseThroughEachDoor(t *testing.T) {
	t.Parallel()
	e2etest.ThroughAllDoors(t, func(c *server.Config) { c.ClientTimeout = 3 * time.Second }, func(v *e2etest.Visitor) {
		stalled := v.Get("/flood?id=" + v.ID("stalled"))
		for range 5 {
			got := e2etest.WantStatus(v, v.Post("/copy", strings.NewReader(e2etest.Text(1<<20))), http.StatusOK)
			if got != e2etest.Text(1<<20) {
				v.Fatalf("%d bytes came back", len(got))
			}
		}
		v.WantSaid("flood %s: worker: request cancelled: client too slow", v.ID("stalled"))
		v.WantBroken(stalled)
	})
}

func TestUploadsThatNobodyReadsHoldUpNoOthersThroughEachDoor(t *testing.T) {
	t.Parallel()
	limit := func(c *server.Config) { c.ResponseTimeout = 2 * time.Second }
	e2etest.ThroughAllDoors(t, limit, func(v *e2etest.Visitor) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range 3 {
			stuck := v.Request("POST", "/wait?flush&id="+v.ID("stuck"),
				io.LimitReader(&e2etest.Endless{}, 1<<40)).WithContext(ctx)
			v.Do(stuck)
		}
		for range 5 {
			got := e2etest.WantStatus(v, v.Post("/upload", e2etest.BytesOf(1<<20)), http.StatusOK)
			if got != "1048576 bytes" {
				v.Fatalf("%q", got)
			}
		}
		if v.Major > 1 { // HTTP/1.1 says nothing of a client that leaves before what it has not read yet
			cancel()
		}
		v.WantSaid("wait %s: context canceled", v.ID("stuck"))
	})
}

func TestShutdownLetsExchangesFinishThroughEachDoor(t *testing.T) {
	t.Parallel()
	for _, d := range e2etest.Doors {
		t.Run(d.Label, func(t *testing.T) {
			s, worker := e2etest.StartBoth(t, nil)
			v := e2etest.NewVisitor(t, d, s, worker, s.Secure(t))
			c := v.Converse("/echo", "before ")
			c.Hear("before ")
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
			c.Say("after")
			c.Hear("after")
			if rest := c.Finish(); rest != "" {
				t.Errorf("%q after the end", rest)
			}
			v.Client.CloseIdleConnections()
			harness.Check(t, <-stopped)
		})
	}
}
