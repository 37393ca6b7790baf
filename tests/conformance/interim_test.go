package conformance_test

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// tracing has the responses that precede the final one sent to a channel.
func tracing(r *http.Request, interim chan<- string) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			interim <- fmt.Sprint(status, " ", http.Header(header).Values("Link"))
			return nil
		},
	}))
}

var interimCases = []conformanceCase{
	{promise: "interim responses come before the response, at once", check: func(t *testing.T, r *rig) {
		interim := make(chan string, 8)
		script := "field link <a>; field link <b>; interim 103; hold interim; interim 102; interim 199; " +
			"respond 200; write 5; end"
		request, id := r.request(t, "GET", script, nil)
		response := make(chan *http.Response, 1)
		go func() {
			got, err := r.client.Do(tracing(request, interim))
			if err != nil {
				t.Error(err)
			}
			response <- got
		}()
		if got := harness.Receive(t, "an interim response", interim); got != "103 [<a> <b>]" {
			t.Errorf("%q came first", got)
		}
		other, _ := r.ask(t, "GET", "let interim; respond 200; end", nil)
		harness.ReadAll(t, other.Body)
		final := harness.Receive(t, "the response", response)
		wantStatus(t, final, 200)
		wantPattern(t, final.Body, 5)
		if first, second := <-interim, <-interim; first != "102 []" || second != "199 []" {
			t.Errorf("%q and %q came then", first, second)
		}
		wantRest(t, withoutLines(r.driver.story(t, id), "field ok"), "interim ok", "hold ok", "interim ok",
			"interim ok", "respond ok", "write ok", "end ok")
	}},
	{promise: "what is no interim response is refused, and harms nothing", check: func(t *testing.T, r *rig) {
		script := "interim 99; interim 100; interim 101; interim 200; field x y%0az; interim 103; " +
			"fields 1 1 20000; interim 103; respond 200; interim 103; write 5; end"
		response, id := r.ask(t, "GET", script, nil)
		wantPattern(t, response.Body, 5)
		wantRest(t, withoutLines(r.driver.story(t, id), "field ok", "fields ok"), "interim refused", "interim refused",
			"interim refused", "interim refused",
			"interim refused", "interim too-large", "respond ok", "interim refused", "write ok", "end ok")
	}},
	{promise: "a client may leave after an interim response", check: func(t *testing.T, r *rig) {
		times := 1
		if r.door.major == 2 { // the writer of net/http may still be at work
			times = 20
		}
		for range times {
			c, id := r.open(t, "GET", "field a b; interim 103; await-cancel")
			r.driver.await(t, id, "interim ok")
			harness.Check(t, c.Close())
			wantLast(t, r.driver.story(t, id), "await-cancel cancelled 1")
		}
	}},
}
