package conformance_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

var requestBodyCases = []conformanceCase{
	{promise: "a body of any size arrives in slots without a gap", check: func(t *testing.T, r *rig) {
		for i, size := range []int{
			0, 1, 63, 64, 65, slotSize - 1, slotSize, slotSize + 1, 2 * slotSize, 40*slotSize + 7,
		} {
			for _, chunked := range []bool{false, true} {
				body := content(uint64(i), size)
				reader := io.Reader(bytes.NewReader(body))
				if chunked {
					reader = unsized(reader)
				}
				response, id := r.ask(t, "POST", "read; respond 200; write 1; end", reader)
				wantStatus(t, response, 200)
				wantPattern(t, response.Body, 1)
				wantRest(t, wantBody(t, r.driver.story(t, id), body), "read ok", "respond ok", "write ok", "end ok")
			}
		}
	}},
	{promise: "a request without a body is headers and end", check: func(t *testing.T, r *rig) {
		// over HTTP/3 the end comes behind the headers
		response, id := r.ask(t, "GET", "tail 2; look 2; look 3; read; respond 200; end", nil)
		harness.ReadAll(t, response.Body)
		r.driver.wantStory(t, id, endLine(2), "tail ok", endLine(2), "look ok", "look nothing", endLine(2), "read ok",
			"respond ok", "end ok")
	}},
	{promise: "bytes are there as soon as the client has sent them, in slots of their own",
		check: func(t *testing.T, r *rig) {
			const count = 50
			c, id := r.upload(t, "read; respond 200; end")
			want := []string{}
			for i := range count {
				b := content(uint64(i), 1+i*7)
				c.chunk(b)
				want = append(want, slotLine(i+2, "body", b))
				r.driver.await(t, id, want[i])
			}
			c.finish()
			wantStatus(t, c.response("POST"), 200)
			r.driver.wantStory(t, id, append(want, endLine(count+2), "read ok", "respond ok", "end ok")...)
		}},
	{promise: "thousands of tiny chunks keep their order", check: func(t *testing.T, r *rig) {
		const count = 3000
		body := content(7, count)
		c, id := r.upload(t, "read; respond 200; end")
		for i := range body {
			c.chunk(body[i : i+1])
		}
		c.finish()
		wantStatus(t, c.response("POST"), 200)
		wantRest(t, wantBody(t, r.driver.story(t, id), body), "read ok", "respond ok", "end ok")
	}},
	{promise: "bodies of random sizes come back byte for byte", check: func(t *testing.T, r *rig) {
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 20 {
			body := content(uint64(i), random.IntN(1<<(4+i%16)))
			reader, writer := io.Pipe()
			go func() {
				for _, piece := range pieces(rand.New(rand.NewPCG(3, uint64(i))), body, 1+len(body)/5) {
					_, _ = writer.Write(piece)
				}
				_ = writer.Close()
			}()
			script := fmt.Sprintf("respond 200; echo %d; end", 1+random.IntN(2*slotSize))
			response, id := r.ask(t, "POST", script, reader)
			if got := harness.ReadAll(t, response.Body); !bytes.Equal(got, body) {
				t.Errorf("%d bytes came back of %d, or others", len(got), len(body))
			}
			wantRest(t, wantBody(t, r.driver.story(t, id)[1:], body), "echo ok", "end ok")
		}
	}},
	{promise: "the end comes when the client ends the body, and not before", check: func(t *testing.T, r *rig) {
		c, id := r.upload(t, "read 1; look 3; respond 200; flush; read; end")
		c.chunk([]byte("all"))
		response := c.response("POST") // the worker has looked
		c.finish()
		harness.ReadAll(t, response.Body)
		r.driver.wantStory(t, id, slotLine(2, "body", []byte("all")), "read ok", "look nothing", "respond ok",
			"flush ok", endLine(3), "read ok", "end ok")
	}},
	{promise: "an upload that its client leaves is a cancellation and never an end", check: func(t *testing.T, r *rig) {
		for _, block := range blocking {
			for _, framing := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
				c, id := r.open(t, "POST", block+"read; respond 200; end", framing)
				c.chunk([]byte("three"))
				r.driver.await(t, id, "slot 2 body 5")
				harness.Check(t, c.Close())
				story := withoutLines(r.driver.story(t, id), "block ok")
				wantRest(t, story, slotLine(2, "body", []byte("three")), "read cancelled 1")
			}
		}
	}},
	{promise: "a truncated upload is a cancellation and never an end", plainly: true,
		check: func(t *testing.T, r *rig) {
			for _, block := range []string{"", "block; "} {
				for _, broken := range []struct{ field, body, seen string }{
					{"Content-Length: 10", "three", "slot 2 body 5"},
					{"Transfer-Encoding: chunked", "5\r\nthree\r\n", "slot 2 body 5"},
					// net/http holds back what there is of a chunk
					{"Transfer-Encoding: chunked", "a\r\nthree", "begin"},
					{"Transfer-Encoding: chunked", "5\r\nthree\r\n0\r\n", "begin"},
				} {
					c, id := r.dialRaw(t, "POST", block+"read; respond 200; end", broken.field)
					c.Send(broken.body)
					r.driver.await(t, id, broken.seen)
					harness.Check(t, c.Close())
					story := r.driver.story(t, id)
					wantLast(t, story, "read cancelled 1")
					if slices.ContainsFunc(story, func(line string) bool { return strings.Contains(line, " end ") }) {
						t.Errorf("there is an end in %q", story)
					}
				}
			}
		}},
	{promise: "a malformed chunk is a cancellation and never an end", plainly: true, check: func(t *testing.T, r *rig) {
		c, id := r.dialRaw(t, "POST", "read; respond 200; end", "Transfer-Encoding: chunked")
		c.chunk([]byte("good"))
		r.driver.await(t, id, "slot 2")
		c.Send("xyz\r\n")
		wantStatus(t, c.response("POST"), 400)
		r.driver.wantStory(t, id, slotLine(2, "body", []byte("good")), "read cancelled 1")
	}},
	{promise: "trailers come after the body and before the end", check: func(t *testing.T, r *rig) {
		c, id := r.open(t, "POST", "read; respond 200; end", "Transfer-Encoding: chunked", "Trailer: X-Sum, X-Empty")
		c.chunk([]byte("body"))
		c.finish("X-Sum: one", "X-Sum: tw\xc3\xb6", "X-Empty:", "Content-Length: 99")
		wantStatus(t, c.response("POST"), 200)
		story := r.driver.story(t, id)
		rest, next := wantBodySlots(t, story, []byte("body"))
		if next != 3 || len(rest) != 8 || rest[0][:16] != "slot 3 trailers " {
			t.Fatalf("the story is %q", story)
		}
		for _, want := range []string{"trailer x-sum 6f6e65", "trailer x-sum 7477c3b6", "trailer x-empty "} {
			if !has(rest[1:4], want) {
				t.Errorf("%q is not in %q", want, rest[1:4])
			}
		}
		wantRest(t, rest[4:], endLine(4), "read ok", "respond ok", "end ok")
	}},
}
