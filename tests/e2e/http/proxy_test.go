package http_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestFieldsOfOneConnectionStayOnIt(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/seen", "Content-Length: 4", "Connection: keep-alive, X-Listed , x-also", "Connection: X-Third",
		"X-Listed: 1", "X-Also: 1", "X-Third: 1", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers",
		"Upgrade: websocket", "Proxy-Authorization: Basic eA==", "Proxy-Authenticate: Basic", "HTTP2-Settings: x",
		"Trailer: X-Sum", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https",
		"Authorization: Bearer x", "X-Kept: one", "X-Kept: two", "Accept-Encoding: gzip", "X-Empty:")
	c.Send("body")
	got := e2etest.Decode[e2etest.Sighting](t, c.Want("POST", http.StatusOK))
	want := map[string]string{
		"Content-Length": "4", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "test",
		"Forwarded": `for=127.0.0.1;host="test";proto=http`, "Via": "1.1 upload-response",
		"X-Request-Id":  strings.Join(got.Header["X-Request-Id"], "|"),
		"Authorization": "Bearer x", "X-Kept": "one|two", "Accept-Encoding": "gzip", "X-Empty": "",
	}
	for name, values := range got.Header {
		if value, ok := want[name]; !ok || strings.Join(values, "|") != value {
			t.Errorf("the worker saw %s: %q", name, values)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the worker did not see %v", want)
	}
	if got.Method != "POST" || got.Path != "/seen" || got.Host != "test" || got.Proto != "HTTP/1.1" ||
		got.ContentLength != 4 || got.Body != "body" {
		t.Errorf("the worker saw %+v", got)
	}
}

func TestFieldsOfTheWorkersConnectionStayOnItThroughEachDoor(t *testing.T) {
	t.Parallel()
	var query []string
	for _, field := range []string{
		"Connection:X-Listed,close", "X-Listed:1", "Keep-Alive:timeout=5", "Proxy-Connection:close",
		"Upgrade:websocket", "Te:trailers", "Transfer-Encoding:chunked", "Proxy-Authenticate:Basic", "X-Kept:one",
		"X-Kept:two", "Set-Cookie:a=b", "Set-Cookie:c=d",
	} {
		query = append(query, "field="+field)
	}
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		response := v.Get("/reply?body=hello&" + strings.Join(query, "&"))
		e2etest.WantStatus(v, response, http.StatusOK)
		want := map[string][]string{
			"X-Kept": {"one", "two"}, "Set-Cookie": {"a=b", "c=d"}, "Content-Length": {"5"},
			"Content-Type": {"text/plain; charset=utf-8"}, "Date": nil, "X-Request-Id": nil,
		}
		if v.Secure && v.Major < 3 {
			want["Alt-Svc"] = nil
		}
		for name, values := range response.Header {
			expected, ok := want[name]
			if !ok || expected != nil && !slices.Equal(values, expected) {
				v.Errorf("the client saw %s: %q", name, values)
			}
			delete(want, name)
		}
		if len(want) > 0 {
			v.Errorf("the client did not see %v", want)
		}
		if response.Close { // the worker does not decide that
			v.Error("the connection is closed")
		}
	})
}

func TestARequestWithoutExactlyOneHostIs400(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	for _, head := range []string{
		"GET /host HTTP/1.1\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost:\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET http://a/host HTTP/1.1\r\n\r\n",
	} {
		c := rawclient.Dial(t, s.Addr)
		c.Send(head)
		c.Want("GET", http.StatusBadRequest)
	}
	if got := worker.Requests(t, s, "/host"); len(got) != 0 {
		t.Errorf("the worker saw %q", got)
	}
}

// RFC 9112 section 3.2.2: an origin server takes the host of the target, and
// ignores the Host field.
func TestTheHostOfTheTargetWins(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Send("GET http://target:81/seen?q HTTP/1.1\r\nHost: field\r\n\r\n")
	got := e2etest.Decode[e2etest.Sighting](t, c.Want("GET", http.StatusOK))
	if got.Host != "target:81" || got.Path != "/seen?q" || got.Header["Host"] != nil {
		t.Errorf("the worker saw host %q, path %q, fields %v", got.Host, got.Path, got.Header)
	}
}

func TestAnHTTP10RequestNeedsNoHost(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Send("GET /seen HTTP/1.0\r\n\r\n")
	if got := e2etest.Decode[e2etest.Sighting](t, c.Want("GET", http.StatusOK)); got.Host != "" ||
		got.Proto != "HTTP/1.1" {
		t.Errorf("the worker saw host %q, %s", got.Host, got.Proto)
	}
	c.WantClosed()
}

func TestThePathReachesTheWorkerAsItWasSent(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, func(c *server.Config) {
		c.Routes = append(c.Routes, server.Route{Prefix: "/seen", Pool: "default"})
	})
	for _, path := range []string{"/seen?a=b%20c&d=%2F", "/seen?", "/seen?a;b=c+d"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", path)
		if got := e2etest.Decode[e2etest.Sighting](t, c.Want("GET", http.StatusOK)); got.Path != path {
			t.Errorf("%s reached the worker as %s", path, got.Path)
		}
	}
	for _, path := range []string{"/a%2Fb", "/%7e%7E", "/a%20b/c", "/x;y=z", "/%C3%A4"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", path)
		if got := c.Want("GET", http.StatusOK); got != "GET "+path {
			t.Errorf("%s reached the worker as %s", path, got)
		}
	}
}

func TestMethodsThatAProxyOfThisKindCannotServeAreRefused(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Send("CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n")
	c.Want("GET", http.StatusNotImplemented)
	for _, method := range []string{"PATCH", "DELETE", "PROPFIND", "X-OWN"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin(method, "/method")
		if got := c.Want(method, http.StatusOK); got != method+" /method" {
			t.Errorf("%s reached the worker as %q", method, got)
		}
	}
	if got := worker.Requests(t, s, "test:443"); len(got) != 0 {
		t.Errorf("the worker saw %q", got)
	}
}

func TestA100ContinueComesOnlyOnceAWorkerReads(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, e2etest.KeepSlowClients, e2etest.LanesVariable+"=1")
	busy := e2etest.StartHold(t, s)

	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=expects", "Content-Length: 5", "Expect: 100-continue")
	e2etest.AwaitWaiting(t, s, 1)
	c.AwaitRead()
	if got := c.Arrived(); got != 0 {
		t.Fatal("the client was answered although no worker has its request")
	}
	busy.Finish()
	busy.WantEnd()
	c.Want100()
	c.Send("12345")
	if got := c.Want("POST", http.StatusOK); got != "5 bytes" {
		t.Errorf("%q", got)
	}
	worker.AwaitSaid(t, "upload expects: 5 bytes, <nil>")
	e2etest.WantOpen(c)
}

func TestAWorkerThatDoesNotReadSendsNo100Continue(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	for _, query := range []string{"status=409&n=5", "status=409&n=5&flush", "status=200&n=100000"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/early?id=no&"+query, "Content-Length: 5", "Expect: 100-continue")
		if response := c.Response("POST"); response.StatusCode == http.StatusContinue {
			t.Errorf("%s: 100 Continue", query)
		}
	}
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=reads", "Transfer-Encoding: chunked", "Expect: 100-continue")
	c.Want100()
	c.Chunk("123")
	c.Finish()
	c.Want("POST", http.StatusOK)
	worker.AwaitSaid(t, "upload reads: 3 bytes, <nil>")
}

func TestAnExpectationNobodyKnowsIs417(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload", "Content-Length: 5", "Expect: a-miracle")
	c.Want("POST", http.StatusExpectationFailed)
}

func TestTheUploadOfAClientThatDoesNotWaitForThe100IsTaken(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload", "Content-Length: 5", "Expect: 100-continue")
	c.Send("12345")
	c.Want100()
	if got := c.Want("POST", http.StatusOK); got != "5 bytes" {
		t.Errorf("%q", got)
	}
	e2etest.WantOpen(c)
}
