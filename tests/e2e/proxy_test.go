package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
)

func TestFieldsOfOneConnectionStayOnIt(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/seen", "Content-Length: 4", "Connection: keep-alive, X-Listed , x-also", "Connection: X-Third",
		"X-Listed: 1", "X-Also: 1", "X-Third: 1", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers", "Upgrade: websocket",
		"Proxy-Authorization: Basic eA==", "Proxy-Authenticate: Basic", "HTTP2-Settings: x", "Trailer: X-Sum",
		"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https",
		"Authorization: Bearer x", "X-Kept: one", "X-Kept: two", "Accept-Encoding: gzip", "X-Empty:")
	c.send("body")
	got := decode[sighting](t, c.want("POST", http.StatusOK))
	want := map[string]string{
		"Content-Length": "4", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "test",
		"Forwarded": `for=127.0.0.1;host="test";proto=http`, "Via": "1.1 upload-response", "X-Request-Id": strings.Join(got.Header["X-Request-Id"], "|"),
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
	if got.Method != "POST" || got.Path != "/seen" || got.Host != "test" || got.Proto != "HTTP/1.1" || got.ContentLength != 4 || got.Body != "body" {
		t.Errorf("the worker saw %+v", got)
	}
}

func TestFieldsOfTheWorkersConnectionStayOnItThroughEachDoor(t *testing.T) {
	var query []string
	for _, field := range []string{
		"Connection:X-Listed,close", "X-Listed:1", "Keep-Alive:timeout=5", "Proxy-Connection:close", "Upgrade:websocket", "Te:trailers",
		"Transfer-Encoding:chunked", "Proxy-Authenticate:Basic", "X-Kept:one", "X-Kept:two", "Set-Cookie:a=b", "Set-Cookie:c=d",
	} {
		query = append(query, "field="+field)
	}
	throughEachDoor(t, nil, func(v *visitor) {
		response := v.get("/reply?body=hello&" + strings.Join(query, "&"))
		wantStatus(v, response, http.StatusOK)
		want := map[string][]string{"X-Kept": {"one", "two"}, "Set-Cookie": {"a=b", "c=d"}, "Content-Length": {"5"}, "Content-Type": {"text/plain; charset=utf-8"}, "Date": nil, "X-Request-Id": nil}
		if v.secure && v.major < 3 {
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
	s, worker := startBoth(t, nil)
	for _, head := range []string{
		"GET /host HTTP/1.1\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost:\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /host HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET http://a/host HTTP/1.1\r\n\r\n",
	} {
		c := dial(t, s.Addr)
		c.send(head)
		c.want("GET", http.StatusBadRequest)
	}
	if got := worker.requests(t, s, "/host"); len(got) != 0 {
		t.Errorf("the worker saw %q", got)
	}
}

// RFC 9112 section 3.2.2: an origin server takes the host of the target, and
// ignores the Host field.
func TestTheHostOfTheTargetWins(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.send("GET http://target:81/seen?q HTTP/1.1\r\nHost: field\r\n\r\n")
	got := decode[sighting](t, c.want("GET", http.StatusOK))
	if got.Host != "target:81" || got.Path != "/seen?q" || got.Header["Host"] != nil {
		t.Errorf("the worker saw host %q, path %q, fields %v", got.Host, got.Path, got.Header)
	}
}

func TestAnHTTP10RequestNeedsNoHost(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.send("GET /seen HTTP/1.0\r\n\r\n")
	if got := decode[sighting](t, c.want("GET", http.StatusOK)); got.Host != "" || got.Proto != "HTTP/1.1" {
		t.Errorf("the worker saw host %q, %s", got.Host, got.Proto)
	}
	c.wantClosed()
}

func TestThePathReachesTheWorkerAsItWasSent(t *testing.T) {
	s, _ := startBoth(t, func(c *server.Config) { c.Routes = append(c.Routes, server.Route{Prefix: "/seen", Pool: "default"}) })
	for _, path := range []string{"/seen?a=b%20c&d=%2F", "/seen?", "/seen?a;b=c+d"} {
		c := dial(t, s.Addr)
		c.begin("GET", path)
		if got := decode[sighting](t, c.want("GET", http.StatusOK)); got.Path != path {
			t.Errorf("%s reached the worker as %s", path, got.Path)
		}
	}
	for _, path := range []string{"/a%2Fb", "/%7e%7E", "/a%20b/c", "/x;y=z", "/%C3%A4"} {
		c := dial(t, s.Addr)
		c.begin("GET", path)
		if got := c.want("GET", http.StatusOK); got != "GET "+path {
			t.Errorf("%s reached the worker as %s", path, got)
		}
	}
}

func TestMethodsThatAProxyOfThisKindCannotServeAreRefused(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.send("CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n")
	c.want("GET", http.StatusNotImplemented)
	for _, method := range []string{"PATCH", "DELETE", "PROPFIND", "X-OWN"} {
		c := dial(t, s.Addr)
		c.begin(method, "/method")
		if got := c.want(method, http.StatusOK); got != method+" /method" {
			t.Errorf("%s reached the worker as %q", method, got)
		}
	}
	if got := worker.requests(t, s, "test:443"); len(got) != 0 {
		t.Errorf("the worker saw %q", got)
	}
}

func TestA100ContinueComesOnlyOnceAWorkerReads(t *testing.T) {
	s, worker := startBoth(t, nil, lanesVariable+"=1")
	busy := startHold(t, s)

	c := dial(t, s.Addr)
	c.begin("POST", "/upload?id=expects", "Content-Length: 5", "Expect: 100-continue")
	awaitWaiting(t, s, 1)
	c.awaitRead()
	if got := queued(t, socketKey(c.conn.LocalAddr()), socketKey(c.conn.RemoteAddr()), 1); got != "00000000" {
		t.Fatal("the client was answered although no worker has its request")
	}
	busy.finish()
	busy.wantEnd()
	c.want100()
	c.send("12345")
	if got := c.want("POST", http.StatusOK); got != "5 bytes" {
		t.Errorf("%q", got)
	}
	worker.awaitSaid(t, "upload expects: 5 bytes, <nil>")
	c.wantOpen()
}

// want100 reads the interim response.
func (c *raw) want100() {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	empty, err2 := c.r.ReadString('\n')
	if err != nil || err2 != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") || empty != "\r\n" {
		c.t.Fatalf("%q, %q (%v, %v), want 100 Continue", line, empty, err, err2)
	}
}

func TestAWorkerThatDoesNotReadSendsNo100Continue(t *testing.T) {
	s, worker := startBoth(t, nil)
	for _, query := range []string{"status=409&n=5", "status=409&n=5&flush", "status=200&n=100000"} {
		c := dial(t, s.Addr)
		c.begin("POST", "/early?id=no&"+query, "Content-Length: 5", "Expect: 100-continue")
		if response := c.response("POST"); response.StatusCode == http.StatusContinue {
			t.Errorf("%s: 100 Continue", query)
		}
	}
	c := dial(t, s.Addr)
	c.begin("POST", "/upload?id=reads", "Transfer-Encoding: chunked", "Expect: 100-continue")
	c.want100()
	c.chunk("123")
	c.finish()
	c.want("POST", http.StatusOK)
	worker.awaitSaid(t, "upload reads: 3 bytes, <nil>")
}

func TestAnExpectationNobodyKnowsIs417(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/upload", "Content-Length: 5", "Expect: a-miracle")
	c.want("POST", http.StatusExpectationFailed)
}

func TestTheUploadOfAClientThatDoesNotWaitForThe100IsTaken(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/upload", "Content-Length: 5", "Expect: 100-continue")
	c.send("12345")
	c.want100()
	if got := c.want("POST", http.StatusOK); got != "5 bytes" {
		t.Errorf("%q", got)
	}
	c.wantOpen()
}
