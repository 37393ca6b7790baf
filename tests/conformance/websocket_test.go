package conformance_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// openSocket opens a WebSocket with a script, and also returns the status and the id of
// the request. The WebSocket is nil if the driver does not accept it.
func (r *rig) openSocket(t *testing.T, script string, protocols ...string) (*harness.WebSocket, int, string) {
	t.Helper()
	id := r.id()
	socket, status := r.server.OpenWebSocket(t, "/", map[string]string{"X-Id": id, "X-Script": script}, protocols...)
	return socket, status, id
}

// socket is openSocket for a script that accepts.
func (r *rig) socket(t *testing.T, script string, protocols ...string) (*harness.WebSocket, string) {
	t.Helper()
	socket, status, id := r.openSocket(t, script, protocols...)
	if socket == nil {
		t.Fatalf("status %d", status)
	}
	return socket, id
}

// finalLine is what a driver says of a slot that ends a message.
func finalLine(number int, kind, payload string) string {
	return slotLine(number, kind, []byte(payload)) + " final"
}

// closedLines is what a driver says of a close and the end.
func closedLines(number int, code ws.StatusCode, reason string) []string {
	payload, said := ws.NewCloseFrameBody(code, reason), fmt.Sprintf("closed %d %x", code, reason)
	if code == ws.StatusNoStatusRcvd {
		payload = nil
	}
	return []string{slotLine(number, "close", payload), said, endLine(number + 1)}
}

// said returns a message of the kind with content of so many bytes.
func said(op ws.OpCode, seed uint64, n int) []byte {
	if op == ws.OpText {
		return makeText(content(seed, n))
	}
	return content(seed, n)
}

var kinds = map[string]ws.OpCode{"text": ws.OpText, "binary": ws.OpBinary}

var websocketCases = []conformanceCase{
	{promise: "messages of any size and kind go both ways", plainly: true, check: func(t *testing.T, r *rig) {
		for _, block := range blocking {
			socket, id := r.socket(t, block+"accept; talk; end")
			for i, n := range []int{0, 1, 125, 126, slotSize - 1, slotSize, slotSize + 1, 65535, 65536, 1 << 20} {
				for _, op := range kinds {
					message := said(op, uint64(i), n)
					socket.Say(op, true, message)
					socket.Want(op, string(message))
				}
			}
			socket.Close(4321, "enough")
			socket.WantClose(4321)
			wantLast(t, r.driver.story(t, id), "end ok")
		}
	}},
	{promise: "the slots of a message say what it is and where it ends", plainly: true,
		check: func(t *testing.T, r *rig) {
			socket, id := r.socket(t, "accept; read; end")
			socket.Say(ws.OpText, true, []byte("one"))
			socket.Say(ws.OpBinary, true, nil)
			socket.Say(ws.OpText, false, []byte("h\xc3"))
			socket.Say(ws.OpPing, true, nil)
			socket.Say(ws.OpContinuation, false, []byte("\xa9"))
			socket.Say(ws.OpContinuation, true, nil)
			big := content(7, slotSize+5)
			socket.Say(ws.OpBinary, true, big)
			socket.Close(1000, "")
			if f := socket.Hear(); f.Header.OpCode != ws.OpPong {
				t.Errorf("a ping is answered by %+v", f.Header)
			}
			socket.WantClose(1000)
			story := slices.Concat(
				[]string{"accept ok", finalLine(2, "text", "one"), finalLine(3, "binary", ""),
					slotLine(4, "text", []byte("h\xc3")), slotLine(5, "text", []byte("\xa9")),
					finalLine(6, "text", ""), slotLine(7, "binary", big[:slotSize]),
					finalLine(8, "binary", string(big[slotSize:]))},
				closedLines(9, 1000, ""), []string{"read ok", "end ok"})
			r.driver.wantStory(t, id, story...)
		}},
	{promise: "messages are sent whole or in parts", plainly: true, check: func(t *testing.T, r *rig) {
		for name, op := range kinds {
			bytes := map[ws.OpCode][]byte{ws.OpText: textPattern, ws.OpBinary: pattern}[op]
			socket, id := r.socket(t, fmt.Sprintf("accept; message %[1]s 0; message %[1]s 5; message %[1]s 200000; "+
				"message %[1]s 1000 10; part %[1]s 7; part %[1]s 0; message %[1]s 0; end", name))
			at := 0
			for _, n := range []int{0, 5, 200000, 1000, 7} {
				socket.Want(op, string(bytes[at:at+n]))
				at += n
			}
			socket.WantClose(1000)
			socket.Close(1000, "")
			for _, line := range r.driver.story(t, id) {
				if !strings.HasSuffix(line, " ok") {
					t.Errorf("the driver said %q", line)
				}
			}
		}
	}},
	{promise: "a message is sent at once", plainly: true, check: func(t *testing.T, r *rig) {
		socket, id := r.socket(t, "accept; message text 5; hold message; part text 5; hold part; message text 0; end")
		socket.Want(ws.OpText, string(textPattern[:5]))
		r.let(t, "message")
		if f := socket.Hear(); f.Header.Fin || string(f.Payload) != string(textPattern[5:10]) {
			t.Errorf("a part came as %+v with %q", f.Header, f.Payload)
		}
		r.let(t, "part")
		if f := socket.Hear(); !f.Header.Fin || f.Header.OpCode != ws.OpContinuation || len(f.Payload) != 0 {
			t.Errorf("the last part came as %+v with %q", f.Header, f.Payload)
		}
		socket.WantClose(1000)
		socket.Close(1000, "")
		wantLast(t, r.driver.story(t, id), "end ok")
	}},
	{promise: "a subprotocol and fields go with the answer", plainly: true, check: func(t *testing.T, r *rig) {
		socket, id := r.socket(t, "field x-a b; field sec-websocket-protocol superchat; accept; read; end",
			"chat", "superchat")
		if socket.Protocol != "superchat" || socket.Header.Get("X-A") != "b" {
			t.Errorf("subprotocol %q, fields %v", socket.Protocol, socket.Header)
		}
		socket.Close(1000, "")
		socket.WantClose(1000)
		wantLast(t, r.driver.story(t, id), "end ok")
	}},
	{promise: "a client that is not accepted gets an ordinary response", plainly: true,
		check: func(t *testing.T, r *rig) {
			for _, status := range []int{200, 403, 500} {
				socket, got, id := r.openSocket(t, fmt.Sprintf("respond %d; write 5; end", status))
				if socket != nil || got != status {
					t.Errorf("status %d, want %d", got, status)
				}
				r.driver.wantStory(t, id, "respond ok", "write ok", "end ok")
			}
			if socket, got, _ := r.openSocket(t, "abort"); socket != nil || got != 502 {
				t.Errorf("status %d, want 502", got)
			}
		}},
	{promise: "the client's close comes with its code and reason, and then the end", plainly: true,
		check: func(t *testing.T, r *rig) {
			for code, reason := range map[ws.StatusCode]string{
				1000: "", 4999: "", 3000: "h\u00e9", 1001: strings.Repeat("x", 123), ws.StatusNoStatusRcvd: "",
			} {
				socket, id := r.socket(t, "accept; read; end")
				if code == ws.StatusNoStatusRcvd {
					socket.Say(ws.OpClose, true, nil)
				} else {
					socket.Close(code, reason)
				}
				socket.WantClose(code)
				r.driver.wantStory(t, id,
					slices.Concat([]string{"accept ok"}, closedLines(2, code, reason),
						[]string{"read ok", "end ok"})...)
			}
		}},
	{promise: "a worker closes with a code and a reason", plainly: true, check: func(t *testing.T, r *rig) {
		for code, reason := range map[ws.StatusCode]string{
			1000: "", 4999: "", 3000: "h%c3%a9", 1011: strings.Repeat("x", 120), 1013: "",
		} {
			socket, id := r.socket(t, fmt.Sprintf("accept; message text 5; close %d %s; message text 5", code, reason))
			socket.Want(ws.OpText, string(textPattern[:5]))
			if got := socket.WantClose(code); got != strings.ReplaceAll(reason, "%c3%a9", "\u00e9") {
				t.Errorf("closed with the reason %q", got)
			}
			socket.Close(code, "")
			r.driver.wantStory(t, id, "accept ok", "message ok", "close ok", "message ended")
		}
	}},
	{promise: "an end is a close with 1000, and an abort one with 1011", plainly: true,
		check: func(t *testing.T, r *rig) {
			for verb, code := range map[string]ws.StatusCode{"end": 1000, "abort": 1011} {
				socket, id := r.socket(t, "accept; "+verb)
				socket.WantClose(code)
				socket.Close(code, "")
				r.driver.wantStory(t, id, "accept ok", verb+" ok")
			}
		}},
	{promise: "what is out of turn is refused, and harms nothing", plainly: true, check: func(t *testing.T, r *rig) {
		refused := func(script string) []string {
			var want []string
			for step := range strings.SplitSeq(script, "; ") {
				want = append(want, strings.Fields(step)[0]+" refused")
			}
			return want
		}
		plain := "accept; message text 5; part text 5; close 1000"
		response, id := r.ask(t, "GET", plain+"; respond 200; write 5; end", nil)
		wantPattern(t, response.Body, 5)
		wantRest(t, r.driver.story(t, id), append(refused(plain), "respond ok", "write ok", "end ok")...)

		early, late := "message text 5; close 1000",
			"accept; respond 200; interim 103; write 5; fill 5; close 999; close 1006; close 5000"
		within := "message binary 5; end; close 1000"
		socket, id := r.socket(t, early+"; accept; "+late+"; part text 5; "+within+"; message text 5; end")
		socket.Want(ws.OpText, string(textPattern[:10]))
		socket.WantClose(1000)
		socket.Close(1000, "")
		want := slices.Concat(refused(early), []string{"accept ok"}, refused(late), []string{"part ok"},
			refused(within), []string{"message ok", "end ok"})
		r.driver.wantStory(t, id, want...)
	}},
	{promise: "a client that leaves without a close is gone", plainly: true, check: func(t *testing.T, r *rig) {
		for _, block := range blocking {
			for script, last := range map[string]string{
				"read": "read cancelled 1", "message binary 400000000 100000": "message cancelled 1",
				"await-cancel": "await-cancel cancelled 1",
			} {
				socket, id := r.socket(t, block+"accept; "+script)
				r.driver.await(t, id, "accept ok")
				socket.Leave()
				wantLast(t, r.driver.story(t, id), last)
			}
		}
	}},
	{promise: "a client that takes nothing holds only its own WebSocket back", plainly: true,
		check: func(t *testing.T, r *rig) {
			slow, slowID := r.socket(t, "accept; message binary 400000000 100000")
			slow.Hear()
			other, otherID := r.socket(t, "accept; talk; end")
			for range 50 {
				other.Say(ws.OpText, true, []byte("quick"))
				other.Want(ws.OpText, "quick")
			}
			other.Close(1000, "")
			other.WantClose(1000)
			wantLast(t, r.driver.story(t, otherID), "end ok")
			slow.Leave()
			wantLast(t, r.driver.story(t, slowID), "message cancelled 1")
		}},
	{promise: "messages that are not released are held back, in bounded memory", plainly: true,
		config: func(c *server.Config) { c.SlotsPerStream = 64 },
		check: func(t *testing.T, r *rig) {
			const count, size = 800, slotSize // 12 MiB
			socket, id := r.socket(t, "accept; keep 63; look 66; hold messages; release 64; talk; end")
			var talking sync.WaitGroup
			sent := make(chan struct{})
			talking.Go(func() {
				defer close(sent)
				for i := range count {
					socket.Say(ws.OpBinary, true, content(uint64(i), size))
				}
				socket.Close(1000, "")
			})
			r.driver.await(t, id, "look nothing")
			if st := r.server.Router.Stats(); st.TotalBuffers-st.FreeBuffers > 66 {
				t.Errorf("%d buffers are in use", st.TotalBuffers-st.FreeBuffers)
			}
			select {
			case <-sent:
				t.Error("the client has sent 12 MiB into 64 slots")
			default:
			}
			r.let(t, "messages")
			for i := 63; i < count; i++ {
				socket.Want(ws.OpBinary, string(content(uint64(i), size)))
			}
			socket.WantClose(1000)
			talking.Wait()
			wantLast(t, r.driver.story(t, id), "end ok")
		}},
	{promise: "many WebSockets talk at once on one link", alone: true, plainly: true,
		check: func(t *testing.T, r *rig) {
			sockets, ids := make([]*harness.WebSocket, 40), make([]string, 40)
			for i := range sockets {
				sockets[i], ids[i] = r.socket(t, "accept; talk; end")
			}
			for round := range 5 {
				for i, socket := range sockets {
					socket.Say(ws.OpBinary, true, content(uint64(i), 5000*round))
				}
				for i, socket := range sockets {
					socket.Want(ws.OpBinary, string(content(uint64(i), 5000*round)))
				}
			}
			for i, socket := range sockets {
				socket.Close(1000, "")
				socket.WantClose(1000)
				wantLast(t, r.driver.story(t, ids[i]), "end ok")
			}
		}},
	{promise: "a worker that drains goes on with its WebSockets", alone: true, plainly: true,
		check: func(t *testing.T, r *rig) {
			socket, id := r.socket(t, "accept; talk; end")
			r.driver.terminate()
			r.driver.await(t, "-", "draining 0")
			socket.Say(ws.OpText, true, []byte("still there"))
			socket.Want(ws.OpText, "still there")
			socket.Close(1000, "")
			socket.WantClose(1000)
			wantLast(t, r.driver.story(t, id), "end ok")
			if status := r.driver.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
			r.driver.checkCounters(t)
		}},
	{promise: "a worker whose server is killed is told so in its WebSockets", alone: true, plainly: true,
		check: func(t *testing.T, r *rig) {
			s := harness.StartServerProcess(t)
			d := startDriver(t, r.sdk, s.Socket)
			other := &rig{
				sdk: r.sdk, door: plain, server: &harness.Server{Addr: s.Addr, URL: "http://" + s.Addr},
				url: "http://" + s.Addr, driver: d,
			}
			hello, _ := other.request(t, "GET", "respond 200; write 5; end", nil)
			s.AwaitAnswer(hello)
			_, reading := other.socket(t, "accept; read")
			d.await(t, reading, "accept ok")
			_, writing := other.socket(t, "accept; message binary 400000000")
			d.await(t, writing, "accept ok")
			s.Kill()
			wantLast(t, d.story(t, reading), "read cancelled 8")
			wantLast(t, d.story(t, writing), "message cancelled 8")
			d.terminate()
			if status := d.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		}},
}

// let opens a gate of the driver.
func (r *rig) let(t *testing.T, gate string) {
	t.Helper()
	response, _ := r.ask(t, "GET", "let "+gate+"; respond 200; end", nil)
	harness.ReadAll(t, response.Body)
}
