package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestMessagesGoBothWaysThroughEachDoor(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket?id=" + v.ID("echo"))
		for _, n := range []int{0, 1, 125, 126, 1000, 65535, 65536, 65537, 1 << 20} {
			p.Text(e2etest.Text(n))
			if got := p.Message(); got != e2etest.Text(n) {
				v.Errorf("%d bytes of %d came back", len(got), n)
			}
			p.Say(ws.OpBinary, true, "\xff"+e2etest.Text(n))
			if got := p.Message(); got != "\xff"+e2etest.Text(n) {
				v.Errorf("%d bytes of %d came back", len(got), n)
			}
		}
		p.Close(ws.StatusNormalClosure)
		p.WantClose(ws.StatusNormalClosure)
		p.WantOver()
		v.WantSaid("socket %s: worker: WebSocket closed by the client: 1000", v.ID("echo"))
		v.Server.AwaitRest(v)
	})
}

func TestAWorkerSeesTheHandshakeAsAnOrdinaryGET(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket?id="+v.ID("seen"), "X-Mine: 1")
		if got := p.Header.Get("X-Seen"); got != "GET|websocket||" {
			v.Errorf("the worker saw %q", got)
		}
		if id := p.Header.Get("X-Request-Id"); len(id) != 32 {
			v.Errorf("request id %q", id)
		}
		p.Leave()
		v.WantSaid("socket %s: worker: request cancelled: client gone", v.ID("seen"))
	})
}

func TestFragmentsAreOneMessageAndPingsComeBetween(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket")
		p.Say(ws.OpText, false, "h\xc3")
		p.Say(ws.OpPing, true, "are you there")
		p.Want(ws.OpPong, true, "are you there")
		p.Say(ws.OpContinuation, false, "")
		p.Say(ws.OpContinuation, false, "\xa9")
		p.Say(ws.OpPong, true, "unasked")
		p.Say(ws.OpContinuation, true, "")
		if got := p.Message(); got != "hé" {
			v.Errorf("%q came back", got)
		}
		p.Text("parts 3")
		p.Want(ws.OpText, false, "é")
		p.Want(ws.OpContinuation, false, "é")
		p.Want(ws.OpContinuation, false, "é")
		p.Want(ws.OpContinuation, true, "")
		p.Say(ws.OpClose, true, "")
		p.WantClose(0)
		p.WantOver()
	})
}

func TestAMessageThatIsBrokenOffByACloseIsNoMistake(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket?id=" + v.ID("half"))
		p.Say(ws.OpText, false, "half a mess")
		p.Close(4000)
		p.WantClose(4000)
		v.WantSaid("socket %s: worker: WebSocket closed by the client: 4000", v.ID("half"))
	})
}

func TestTheClientsCloseIsAnsweredThoughAMessageOfTheWorkersIsUnfinished(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket?id=" + v.ID("begun"))
		p.Text("begin half")
		p.Want(ws.OpText, false, "half")
		p.Close(4000)
		p.WantClose(4000)
		p.WantOver()
		v.WantSaid("socket %s: worker: WebSocket closed by the client: 4000", v.ID("begun"))
		if failed := v.Server.Router.Stats().Failed; failed != 0 {
			v.Errorf("%d requests count as failed", failed)
		}
	})
}

func TestTheWorkerClosesWithACode(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for command, code := range map[string]ws.StatusCode{
			"close 4001": 4001, "close 1013": 1013, "return": 1000, "abort": 1011, "garble": 1014,
		} {
			p := v.MustOpen("/socket")
			p.Text(command)
			p.WantClose(code)
			p.Close(code)
			p.WantOver()
		}
		v.Server.AwaitRest(v)
	})
}

// A client's mistakes, and the code that tells it.
var mistakes = map[string]struct {
	frames []ws.Frame
	code   ws.StatusCode
}{
	"a reserved bit": {[]ws.Frame{{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText}}},
		ws.StatusProtocolError},
	"a reserved kind":      {[]ws.Frame{{Header: ws.Header{Fin: true, OpCode: 3}}}, ws.StatusProtocolError},
	"a reserved control":   {[]ws.Frame{{Header: ws.Header{Fin: true, OpCode: 11}}}, ws.StatusProtocolError},
	"a ping in fragments":  {[]ws.Frame{{Header: ws.Header{OpCode: ws.OpPing}}}, ws.StatusProtocolError},
	"a long ping":          {[]ws.Frame{ws.NewPingFrame(make([]byte, 126))}, ws.StatusProtocolError},
	"a continuation first": {[]ws.Frame{ws.NewFrame(ws.OpContinuation, true, []byte("x"))}, ws.StatusProtocolError},
	"a message in a message": {[]ws.Frame{ws.NewFrame(ws.OpText, false, []byte("x")), ws.NewTextFrame([]byte("y"))},
		ws.StatusProtocolError},
	"half a code":      {[]ws.Frame{ws.NewCloseFrame([]byte{3})}, ws.StatusProtocolError},
	"a code of nobody": {[]ws.Frame{ws.NewCloseFrame(ws.NewCloseFrameBody(1005, ""))}, ws.StatusProtocolError},
	"a code too large": {[]ws.Frame{ws.NewCloseFrame(ws.NewCloseFrameBody(5000, ""))}, ws.StatusProtocolError},
	"a reason that is none": {[]ws.Frame{ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "\xff"))},
		ws.StatusProtocolError},
	"no UTF-8":    {[]ws.Frame{ws.NewTextFrame([]byte("\xff"))}, ws.StatusInvalidFramePayloadData},
	"half a rune": {[]ws.Frame{ws.NewTextFrame([]byte("\xc3"))}, ws.StatusInvalidFramePayloadData},
	"half a rune, then none": {[]ws.Frame{ws.NewFrame(ws.OpText, false, []byte("\xc3")),
		ws.NewFrame(ws.OpContinuation, true, nil)}, ws.StatusInvalidFramePayloadData},
	"too large": {[]ws.Frame{ws.NewBinaryFrame(make([]byte, 100001))}, ws.StatusMessageTooBig},
	"too large in fragments": {[]ws.Frame{ws.NewFrame(ws.OpBinary, false, make([]byte, 60000)),
		ws.NewFrame(ws.OpContinuation, true, make([]byte, 60000))}, ws.StatusMessageTooBig},
}

func TestAMistakeOfTheClientIsToldByItsCode(t *testing.T) {
	e2etest.ThroughEachDoor(t, func(c *server.Config) { c.MessageLimit = 100000 }, func(v *e2etest.Visitor) {
		for name, m := range mistakes {
			p := v.MustOpen("/socket?id=" + v.ID("mistake"))
			for _, f := range m.frames {
				f.Payload = append([]byte(nil), f.Payload...)
				if p.TrySay(f) != nil {
					break // it was closed by the frame before
				}
			}
			if code := p.CloseCode(); code != m.code {
				v.Errorf("%s: closed with %d, want %d", name, code, m.code)
			}
			p.WantOver()
		}
		p := v.MustOpen("/socket?id=" + v.ID("mistake"))
		_, err := p.Out.Write([]byte{0x81, 0x01, 'x'}) // no mask
		harness.Check(v, err)
		p.WantClose(ws.StatusProtocolError)
		p.WantOver()
		v.Server.AwaitRest(v)
		e2etest.WantCalm(t, v.Server)
	})
}

func TestOneOfTheOfferedProtocolsIsChosen(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket?choose=1", "Sec-WebSocket-Protocol: chat, superchat")
		if got := p.Header.Get("Sec-Websocket-Protocol"); got != "superchat" {
			v.Errorf("protocol %q", got)
		}
		_, response := v.OpenWebSocket("/socket?protocol=other", "Sec-WebSocket-Protocol: chat")
		if got := e2etest.Refusal(v, response); !strings.HasPrefix(got, "502 ") {
			v.Error(got)
		}
	})
}

func TestAWorkerMayAnswerWithoutAWebSocket(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		_, response := v.OpenWebSocket("/reply?status=403&body=no")
		if got := e2etest.Refusal(v, response); got != "403 no" {
			v.Error(got)
		}
		_, response = v.OpenWebSocket("/upload?id=" + v.ID("plain")) // reads the body to its end
		want := map[bool]string{true: "200 0 bytes",
			false: "501 501 Not Implemented: no WebSocket here\n"}[v.Major == 1]
		if got := e2etest.Refusal(v, response); got != want {
			v.Errorf("%q, want %q", got, want)
		}
		v.Server.AwaitRest(v)
	})
}

func TestAnUpgradeThatIsNoneOfOursIsRefusedOrIgnored(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		_, response := v.OpenWebSocket("/socket", "Sec-WebSocket-Version: 12")
		if got := e2etest.Refusal(v, response); !strings.HasPrefix(got, "400 ") ||
			response.Header.Get("Sec-Websocket-Version") != "13" {
			v.Error(got, response.Header)
		}
		if v.Major != 1 {
			return
		}
		for _, key := range []string{"", "x", "AAAA", e2etest.TestKey + "AAAA"} {
			_, response = v.OpenWebSocket("/socket", "Sec-WebSocket-Key: "+key)
			if got := e2etest.Refusal(v, response); !strings.HasPrefix(got, "400 ") {
				v.Errorf("key %q: %s", key, got)
			}
		}
		_, response = v.OpenWebSocket("/seen", "Upgrade: h2c")
		if got := e2etest.Refusal(v, response); !strings.HasPrefix(got, "200 ") || strings.Contains(got, "h2c") {
			v.Error(got)
		}
	})
}

func TestASlowReaderHoldsUpItsWebSocketOnly(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		slow := v.MustOpen("/socket?id=" + v.ID("slow"))
		slow.Text("flood")
		slow.Hear()
		other := v.NewVisit().MustOpen("/socket")
		for range 20 {
			other.Text("quick")
			other.Want(ws.OpText, true, "quick")
		}
		slow.Leave()
		v.WantSaid("socket %s: worker: request cancelled: client gone", v.ID("slow"))
		other.Close(1000)
		other.WantClose(1000)
		v.Server.AwaitRest(v)
	})
}

func TestAWorkerThatDoesNotReadHoldsTheClientBack(t *testing.T) {
	change := func(c *server.Config) { c.ResponseTimeout, c.Memory = time.Second, 32<<20 }
	e2etest.ThroughAllDoors(t, change, func(v *e2etest.Visitor) {
		p := v.MustOpen("/socket?id=" + v.ID("deaf"))
		p.Text("deaf")
		var writing sync.WaitGroup
		writing.Go(func() {
			for range 400 { // far more than the memory
				if ws.WriteFrame(p.Out,
					ws.MaskFrameInPlaceWith(ws.NewBinaryFrame(make([]byte, 1<<20)), [4]byte{1})) != nil {
					return
				}
			}
			v.Error("all of it was taken")
		})
		p.WantClose(1014) // the time of the deaf client is up, since it stands in the way
		p.Leave()
		writing.Wait()
		v.WantSaid("socket %s: context canceled", v.ID("deaf"))
	})
}

func TestASilentClientIsPingedAndThenGivenUp(t *testing.T) {
	e2etest.ThroughAllDoors(t, func(c *server.Config) { c.PingInterval = 100 * time.Millisecond },
		func(v *e2etest.Visitor) {
			p := v.MustOpen("/socket?id=" + v.ID("silent"))
			for range 3 {
				p.Want(ws.OpPing, true, "")
				p.Say(ws.OpPong, true, "")
			}
			p.Want(ws.OpPing, true, "")
			for { // one more ping may be under way
				f, err := ws.ReadFrame(p.In) //nolint:staticcheck // the server under test decides how long frames are
				if err != nil || f.Header.OpCode == ws.OpClose {
					break
				}
			}
			v.WantSaid("socket %s: worker: request cancelled", v.ID("silent"))
		})
}

func TestAClientThatClosesIsAnsweredAlsoWhenTheWorkerLingers(t *testing.T) {
	e2etest.ThroughAllDoors(t, nil, func(v *e2etest.Visitor) {
		if v.Secure {
			return // it takes five seconds
		}
		p := v.MustOpen("/socket?id=" + v.ID("linger"))
		p.Text("deaf")
		p.Close(4000)
		p.WantClose(4000)
		p.WantOver()
		v.WantSaid("socket %s: context canceled", v.ID("linger"))
	})
}

func TestAWorkerThatDiesEndsItsWebSocketsWithACode(t *testing.T) {
	routes := append(server.DefaultConfig().Routes, server.Route{Prefix: "/mortal", Pool: "mortal"})
	e2etest.ThroughEachDoor(t, func(c *server.Config) { c.Routes = routes }, func(v *e2etest.Visitor) {
		worker := v.Server.StartWorker(v, "app", e2etest.PoolVariable+"=mortal")
		p := v.MustOpen("/mortal/socket")
		worker.Kill()
		p.WantClose(1014)
		p.Leave()
	})
}

func TestShutdownClosesWebSocketsAsGoingAway(t *testing.T) {
	for _, d := range e2etest.Doors {
		t.Run(d.Label, func(t *testing.T) {
			t.Parallel()
			s, app := e2etest.StartBoth(t, nil)
			v := e2etest.NewVisitor(t, d, s, app, s.Secure(t))
			p := v.MustOpen("/socket?id=" + v.ID("end"))
			p.Text("x")
			p.Want(ws.OpText, true, "x")
			ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- s.HTTP.Shutdown(ctx) }()
			p.WantClose(1001)
			p.Leave()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			v.WantSaid("socket %s: worker: WebSocket closed by the client: 1001", v.ID("end"))
		})
	}
}

func TestManyWebSocketsAtOnce(t *testing.T) {
	e2etest.ThroughEachDoor(t, func(c *server.Config) { c.NumStreams = 200 }, func(v *e2etest.Visitor) {
		var talking sync.WaitGroup
		for i := range 40 {
			talking.Go(func() {
				p := v.MustOpen("/socket")
				for j := range 10 {
					message := fmt.Sprint(i, j, e2etest.Text(i*997))
					p.Text(message)
					if got := p.Message(); got != message {
						v.Errorf("%.50q came back, want %.50q", got, message)
					}
				}
				p.Close(1000)
				p.WantClose(1000)
			})
		}
		talking.Wait()
		v.Server.AwaitRest(v)
	})
}

func TestAnUpgradeIsForHTTP1Only(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Send("GET /seen HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + e2etest.TestKey +
		"\r\nSec-WebSocket-Version: 13\r\n\r\n")
	c.Want("GET", http.StatusOK)
	c = rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/seen", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: "+e2etest.TestKey,
		"Sec-WebSocket-Version: 13", "Content-Length: 0")
	c.Want("POST", http.StatusOK)
	c = rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/socket", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: "+e2etest.TestKey,
		"Sec-WebSocket-Version: 13", "Content-Length: 1")
	c.Send("x")
	c.Want("GET", http.StatusBadRequest)
}
