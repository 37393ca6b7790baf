package e2e_test

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
	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestMessagesGoBothWaysThroughEachDoor(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		p := v.mustOpen("/socket?id=" + v.id("echo"))
		for _, n := range []int{0, 1, 125, 126, 1000, 65535, 65536, 65537, 1 << 20} {
			p.text(text(n))
			if got := p.message(); got != text(n) {
				v.Errorf("%d bytes of %d came back", len(got), n)
			}
			p.say(ws.OpBinary, true, "\xff"+text(n))
			if got := p.message(); got != "\xff"+text(n) {
				v.Errorf("%d bytes of %d came back", len(got), n)
			}
		}
		p.close(ws.StatusNormalClosure)
		p.wantClose(ws.StatusNormalClosure)
		p.wantOver()
		v.wantSaid("socket %s: worker: WebSocket closed by the client: 1000", v.id("echo"))
		v.s.AwaitRest(v)
	})
}

func TestAWorkerSeesTheHandshakeAsAnOrdinaryGET(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		p := v.mustOpen("/socket?id="+v.id("seen"), "X-Mine: 1")
		if got := p.header.Get("X-Seen"); got != "GET|websocket||" {
			v.Errorf("the worker saw %q", got)
		}
		if id := p.header.Get("X-Request-Id"); len(id) != 32 {
			v.Errorf("request id %q", id)
		}
		p.leave()
		v.wantSaid("socket %s: worker: request cancelled: client gone", v.id("seen"))
	})
}

func TestFragmentsAreOneMessageAndPingsComeBetween(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		p := v.mustOpen("/socket")
		p.say(ws.OpText, false, "h\xc3")
		p.say(ws.OpPing, true, "are you there")
		p.want(ws.OpPong, true, "are you there")
		p.say(ws.OpContinuation, false, "")
		p.say(ws.OpContinuation, false, "\xa9")
		p.say(ws.OpPong, true, "unasked")
		p.say(ws.OpContinuation, true, "")
		if got := p.message(); got != "hé" {
			v.Errorf("%q came back", got)
		}
		p.text("parts 3")
		p.want(ws.OpText, false, "é")
		p.want(ws.OpContinuation, false, "é")
		p.want(ws.OpContinuation, false, "é")
		p.want(ws.OpContinuation, true, "")
		p.say(ws.OpClose, true, "")
		p.wantClose(0)
		p.wantOver()
	})
}

func TestAMessageThatIsBrokenOffByACloseIsNoMistake(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		p := v.mustOpen("/socket?id=" + v.id("half"))
		p.say(ws.OpText, false, "half a mess")
		p.close(4000)
		p.wantClose(4000)
		v.wantSaid("socket %s: worker: WebSocket closed by the client: 4000", v.id("half"))
	})
}

func TestTheWorkerClosesWithACode(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		for command, code := range map[string]ws.StatusCode{"close 4001": 4001, "close 1013": 1013, "return": 1000, "abort": 1011, "garble": 1014} {
			p := v.mustOpen("/socket")
			p.text(command)
			p.wantClose(code)
			p.close(code)
			p.wantOver()
		}
		v.s.AwaitRest(v)
	})
}

// A client's mistakes, and the code that tells it.
var mistakes = map[string]struct {
	frames []ws.Frame
	code   ws.StatusCode
}{
	"a reserved bit":         {[]ws.Frame{{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText}}}, ws.StatusProtocolError},
	"a reserved kind":        {[]ws.Frame{{Header: ws.Header{Fin: true, OpCode: 3}}}, ws.StatusProtocolError},
	"a reserved control":     {[]ws.Frame{{Header: ws.Header{Fin: true, OpCode: 11}}}, ws.StatusProtocolError},
	"a ping in fragments":    {[]ws.Frame{{Header: ws.Header{OpCode: ws.OpPing}}}, ws.StatusProtocolError},
	"a long ping":            {[]ws.Frame{ws.NewPingFrame(make([]byte, 126))}, ws.StatusProtocolError},
	"a continuation first":   {[]ws.Frame{ws.NewFrame(ws.OpContinuation, true, []byte("x"))}, ws.StatusProtocolError},
	"a message in a message": {[]ws.Frame{ws.NewFrame(ws.OpText, false, []byte("x")), ws.NewTextFrame([]byte("y"))}, ws.StatusProtocolError},
	"half a code":            {[]ws.Frame{ws.NewCloseFrame([]byte{3})}, ws.StatusProtocolError},
	"a code of nobody":       {[]ws.Frame{ws.NewCloseFrame(ws.NewCloseFrameBody(1005, ""))}, ws.StatusProtocolError},
	"a code too large":       {[]ws.Frame{ws.NewCloseFrame(ws.NewCloseFrameBody(5000, ""))}, ws.StatusProtocolError},
	"a reason that is none":  {[]ws.Frame{ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "\xff"))}, ws.StatusProtocolError},
	"no UTF-8":               {[]ws.Frame{ws.NewTextFrame([]byte("\xff"))}, ws.StatusInvalidFramePayloadData},
	"half a rune":            {[]ws.Frame{ws.NewTextFrame([]byte("\xc3"))}, ws.StatusInvalidFramePayloadData},
	"half a rune, then none": {[]ws.Frame{ws.NewFrame(ws.OpText, false, []byte("\xc3")), ws.NewFrame(ws.OpContinuation, true, nil)}, ws.StatusInvalidFramePayloadData},
	"too large":              {[]ws.Frame{ws.NewBinaryFrame(make([]byte, 100001))}, ws.StatusMessageTooBig},
	"too large in fragments": {[]ws.Frame{ws.NewFrame(ws.OpBinary, false, make([]byte, 60000)), ws.NewFrame(ws.OpContinuation, true, make([]byte, 60000))}, ws.StatusMessageTooBig},
}

func TestAMistakeOfTheClientIsToldByItsCode(t *testing.T) {
	throughEachDoor(t, func(c *server.Config) { c.MessageLimit = 100000 }, func(v *visitor) {
		for name, m := range mistakes {
			p := v.mustOpen("/socket?id=" + v.id("mistake"))
			for _, f := range m.frames {
				f.Payload = append([]byte(nil), f.Payload...)
				if p.trySay(f) != nil {
					break // it was closed by the frame before
				}
			}
			if code := p.closeCode(); code != m.code {
				v.Errorf("%s: closed with %d, want %d", name, code, m.code)
			}
			p.wantOver()
		}
		p := v.mustOpen("/socket?id=" + v.id("mistake"))
		_, err := p.w.Write([]byte{0x81, 0x01, 'x'}) // no mask
		harness.Check(v, err)
		p.wantClose(ws.StatusProtocolError)
		p.wantOver()
		v.s.AwaitRest(v)
		wantCalm(t, v.s)
	})
}

func TestOneOfTheOfferedProtocolsIsChosen(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		p := v.mustOpen("/socket?choose=1", "Sec-WebSocket-Protocol: chat, superchat")
		if got := p.header.Get("Sec-Websocket-Protocol"); got != "superchat" {
			v.Errorf("protocol %q", got)
		}
		_, response := v.openWebSocket("/socket?protocol=other", "Sec-WebSocket-Protocol: chat")
		if got := refusal(v, response); !strings.HasPrefix(got, "502 ") {
			v.Error(got)
		}
	})
}

func TestAWorkerMayAnswerWithoutAWebSocket(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		_, response := v.openWebSocket("/reply?status=403&body=no")
		if got := refusal(v, response); got != "403 no" {
			v.Error(got)
		}
		_, response = v.openWebSocket("/upload?id=" + v.id("plain")) // reads the body to its end
		want := map[bool]string{true: "200 0 bytes", false: "501 501 Not Implemented: no WebSocket here\n"}[v.major == 1]
		if got := refusal(v, response); got != want {
			v.Errorf("%q, want %q", got, want)
		}
		v.s.AwaitRest(v)
	})
}

func TestAnUpgradeThatIsNoneOfOursIsRefusedOrIgnored(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		_, response := v.openWebSocket("/socket", "Sec-WebSocket-Version: 12")
		if got := refusal(v, response); !strings.HasPrefix(got, "400 ") || response.Header.Get("Sec-Websocket-Version") != "13" {
			v.Error(got, response.Header)
		}
		if v.major != 1 {
			return
		}
		for _, key := range []string{"", "x", "AAAA", testKey + "AAAA"} {
			_, response = v.openWebSocket("/socket", "Sec-WebSocket-Key: "+key)
			if got := refusal(v, response); !strings.HasPrefix(got, "400 ") {
				v.Errorf("key %q: %s", key, got)
			}
		}
		_, response = v.openWebSocket("/seen", "Upgrade: h2c")
		if got := refusal(v, response); !strings.HasPrefix(got, "200 ") || strings.Contains(got, "h2c") {
			v.Error(got)
		}
	})
}

func TestASlowReaderHoldsUpItsWebSocketOnly(t *testing.T) {
	throughEachDoor(t, nil, func(v *visitor) {
		slow := v.mustOpen("/socket?id=" + v.id("slow"))
		slow.text("flood")
		slow.hear()
		other := v.newVisit().mustOpen("/socket")
		for range 20 {
			other.text("quick")
			other.want(ws.OpText, true, "quick")
		}
		slow.leave()
		v.wantSaid("socket %s: worker: request cancelled: client gone", v.id("slow"))
		other.close(1000)
		other.wantClose(1000)
		v.s.AwaitRest(v)
	})
}

func TestAWorkerThatDoesNotReadHoldsTheClientBack(t *testing.T) {
	change := func(c *server.Config) { c.ResponseTimeout, c.Memory = time.Second, 32<<20 }
	throughAllDoors(t, change, func(v *visitor) {
		p := v.mustOpen("/socket?id=" + v.id("deaf"))
		p.text("deaf")
		var writing sync.WaitGroup
		writing.Go(func() {
			for range 400 { // far more than the memory
				if ws.WriteFrame(p.w, ws.MaskFrameInPlaceWith(ws.NewBinaryFrame(make([]byte, 1<<20)), [4]byte{1})) != nil {
					return
				}
			}
			v.Error("all of it was taken")
		})
		p.wantClose(1014) // its time is up, since it stands in the way
		p.leave()
		writing.Wait()
		v.wantSaid("socket %s: context canceled", v.id("deaf"))
	})
}

func TestASilentClientIsPingedAndThenGivenUp(t *testing.T) {
	throughAllDoors(t, func(c *server.Config) { c.PingInterval = 100 * time.Millisecond }, func(v *visitor) {
		p := v.mustOpen("/socket?id=" + v.id("silent"))
		for range 3 {
			p.want(ws.OpPing, true, "")
			p.say(ws.OpPong, true, "")
		}
		p.want(ws.OpPing, true, "")
		for { // one more ping may be under way
			f, err := ws.ReadFrame(p.r)
			if err != nil || f.Header.OpCode == ws.OpClose {
				break
			}
		}
		v.wantSaid("socket %s: worker: request cancelled", v.id("silent"))
	})
}

func TestAClientThatClosesIsAnsweredAlsoWhenTheWorkerLingers(t *testing.T) {
	throughAllDoors(t, nil, func(v *visitor) {
		if v.secure {
			return // it takes five seconds
		}
		p := v.mustOpen("/socket?id=" + v.id("linger"))
		p.text("deaf")
		p.close(4000)
		p.wantClose(4000)
		p.wantOver()
		v.wantSaid("socket %s: context canceled", v.id("linger"))
	})
}

func TestAWorkerThatDiesEndsItsWebSocketsWithACode(t *testing.T) {
	routes := append(server.DefaultConfig().Routes, server.Route{Prefix: "/mortal", Pool: "mortal"})
	throughEachDoor(t, func(c *server.Config) { c.Routes = routes }, func(v *visitor) {
		worker := v.s.StartWorker(v, "app", poolVariable+"=mortal")
		p := v.mustOpen("/mortal/socket")
		worker.Kill()
		p.wantClose(1014)
		p.leave()
	})
}

func TestShutdownClosesWebSocketsAsGoingAway(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s, app := startBoth(t, nil)
			v := newVisitor(t, d, s, app, s.Secure(t))
			p := v.mustOpen("/socket?id=" + v.id("end"))
			p.text("x")
			p.want(ws.OpText, true, "x")
			ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- s.HTTP.Shutdown(ctx) }()
			p.wantClose(1001)
			p.leave()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			v.wantSaid("socket %s: worker: WebSocket closed by the client: 1001", v.id("end"))
		})
	}
}

func TestManyWebSocketsAtOnce(t *testing.T) {
	throughEachDoor(t, func(c *server.Config) { c.NumStreams = 200 }, func(v *visitor) {
		var talking sync.WaitGroup
		for i := range 40 {
			talking.Go(func() {
				p := v.mustOpen("/socket")
				for j := range 10 {
					message := fmt.Sprint(i, j, text(i*997))
					p.text(message)
					if got := p.message(); got != message {
						v.Errorf("%.50q came back, want %.50q", got, message)
					}
				}
				p.close(1000)
				p.wantClose(1000)
			})
		}
		talking.Wait()
		v.s.AwaitRest(v)
	})
}

func TestAnUpgradeIsForHTTP1Only(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.send("GET /seen HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " + testKey + "\r\nSec-WebSocket-Version: 13\r\n\r\n")
	c.want("GET", http.StatusOK)
	c = dial(t, s.Addr)
	c.begin("POST", "/seen", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: "+testKey, "Sec-WebSocket-Version: 13", "Content-Length: 0")
	c.want("POST", http.StatusOK)
	c = dial(t, s.Addr)
	c.begin("GET", "/socket", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: "+testKey, "Sec-WebSocket-Version: 13", "Content-Length: 1")
	c.send("x")
	c.want("GET", http.StatusBadRequest)
}
