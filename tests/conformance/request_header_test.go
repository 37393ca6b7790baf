package conformance_test

import (
	"encoding/hex"
	"fmt"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// maxFields is the most fields of a headers frame.
const maxFields = 8192

// addedFields is how many fields a request has besides a test's own: x-id and
// x-script; and, from the server, upload-response-client, x-forwarded-for, -proto and
// -host, forwarded, via and x-request-id.
const addedFields = 9

func has(lines []string, want string) bool { return slices.Contains(lines, want) }

var requestHeaderCases = []conformanceCase{
	{promise: "the worker sees the whole head", plainly: true, check: func(t *testing.T, r *rig) {
		c, id := r.dial(t), r.id()
		c.begin("PATCH", "/a%20b/\xc3\xa9?q=1&q=%00", "X-Id: "+id, "X-Script: head; read; respond 200; end",
			"Content-Length: 0", "X-Empty:", "X-Twice: one", "X-Twice: two", "X-Bytes: \x80caf\xe9\xff", "X-Tab: a\tb",
			"!#$%&'*+-.^_`|~09: token", "Connection: x-hop", "X-Hop: gone")
		wantStatus(t, c.response("PATCH"), 200)
		story := r.driver.story(t, id)
		for what, value := range map[string]string{
			"head method": "PATCH", "head scheme": "http", "head authority": "test",
			"head path":   "/a%20b/\xc3\xa9?q=1&q=%00",
			"header x-id": id, "header x-empty": "", "header x-bytes": "\x80caf\xe9\xff", "header x-tab": "a\tb",
			"header !#$%&'*+-.^_`|~09": "token",
			"header content-length":    "0", "header x-forwarded-for": "127.0.0.1", "header x-forwarded-proto": "http",
		} {
			if want := fmt.Sprintf("%s %x", what, value); !has(story, want) {
				t.Errorf("%q is not in\n%s", want, strings.Join(story, "\n"))
			}
		}
		one, two := slices.Index(story, fmt.Sprintf("header x-twice %x", "one")),
			slices.Index(story, fmt.Sprintf("header x-twice %x", "two"))
		if one < 0 || two != one+1 {
			t.Errorf("x-twice is at %d and %d of\n%s", one, two, strings.Join(story, "\n"))
		}
		if slices.ContainsFunc(story, func(s string) bool { return strings.HasPrefix(s, "header x-hop ") }) {
			t.Error("a hop-by-hop field came through")
		}
	}},
	{promise: "the worker knows who the client is, and no client says so", check: func(t *testing.T, r *rig) {
		request, id := r.request(t, "GET", "head; respond 200; end", nil)
		var own string
		request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
			GotConn: func(got httptrace.GotConnInfo) { own = got.Conn.LocalAddr().String() },
		}))
		for _, name := range []string{
			"Upload-Response-Client", "Upload_Response_Client", "X-Forwarded-For", "X-Real-Ip",
		} {
			request.Header.Set(name, "6.6.6.6:6")
		}
		response, err := r.client.Do(request)
		harness.Check(t, err)
		harness.ReadAll(t, response.Body)
		story := r.driver.story(t, id)
		client := slices.IndexFunc(story, func(s string) bool { return strings.HasPrefix(s, "head client ") })
		if client < 0 {
			t.Fatalf("no client is in\n%s", strings.Join(story, "\n"))
		}
		said, err := hex.DecodeString(strings.TrimPrefix(story[client], "head client "))
		harness.Check(t, err)
		// package http3 does not say its own
		if at, err := netip.ParseAddrPort(string(said)); err != nil || at.Addr() != netip.MustParseAddr("127.0.0.1") ||
			r.door.major < 3 && string(said) != own {
			t.Errorf("the client at %s is said to be at %s", own, said)
		}
		forged := fmt.Sprintf("%x", "6.6.6.6:6")
		if slices.ContainsFunc(story, func(s string) bool {
			return strings.HasSuffix(s, forged) || strings.HasPrefix(s, "header upload-response-")
		}) {
			t.Errorf("what the client says is in\n%s", strings.Join(story, "\n"))
		}
	}},
	{promise: "a headers frame may fill its slot to the last byte, and no more", check: func(t *testing.T, r *rig) {
		try := func(length int) (status int, slot int) {
			c, id := r.open(t, "GET", "tail 1; respond 200; end", "X-Big: "+strings.Repeat("b", length))
			response := c.response("GET")
			harness.ReadAll(t, response.Body)
			if response.StatusCode == 200 {
				_, err := fmt.Sscanf(r.driver.story(t, id)[0], "slot 1 headers %d", &slot)
				harness.Check(t, err)
			}
			return response.StatusCode, slot
		}
		_, slot := try(slotSize - 1000)
		most := slotSize - 1000 + slotSize - slot
		for length, want := range map[int]int{most - 1: 200, most: 200, most + 1: 431} {
			if status, slot := try(length); status != want || status == 200 && slot != slotSize-most+length {
				t.Errorf("length %d: status %d, slot of %d bytes", length, status, slot)
			}
		}
	}},
	{promise: "a long path arrives whole", plainly: true, check: func(t *testing.T, r *rig) {
		path := "/" + strings.Repeat("p/\x80?", 3000)
		c, id := r.dial(t), r.id()
		c.begin("GET", path, "X-Id: "+id, "X-Script: head; respond 200; end")
		wantStatus(t, c.response("GET"), 200)
		if story := r.driver.story(t, id); !has(story, fmt.Sprintf("head path %x", path)) {
			t.Errorf("the path is not in %.500q", story)
		}
	}},
	{promise: "as many fields arrive as a frame can have", config: bigSlots, plainly: true,
		check: func(t *testing.T, r *rig) {
			for count, want := range map[int]int{maxFields - addedFields: 200, maxFields - addedFields + 1: 431} {
				c, id := r.open(t, "GET", "head; respond 200; end", slices.Repeat([]string{"A:"}, count)...)
				response := c.response("GET")
				wantStatus(t, response, want)
				harness.ReadAll(t, response.Body)
				if want != 200 {
					continue
				}
				// the client is said apart
				if got := countPrefix(r.driver.story(t, id), "header "); got != maxFields-1 {
					t.Errorf("%d fields arrived", got)
				}
			}
		}},
	{promise: "the head outlives its slot if the worker keeps it", check: func(t *testing.T, r *rig) {
		c, id := r.upload(t, "head; tail 1; read; respond 200; end")
		c.chunk(content(1, 1000))
		c.finish()
		wantStatus(t, c.response("POST"), 200)
		story := r.driver.story(t, id)
		if !has(story, "tail released") || !has(story, fmt.Sprintf("header x-id %x", id)) {
			t.Errorf("the story is %q", story)
		}
	}},
}
