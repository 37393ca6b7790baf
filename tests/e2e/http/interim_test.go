package http_test

import (
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// interims collects the responses that precede the final one.
type interims struct {
	mu   sync.Mutex
	list []string
}

// watch adds the request's interim responses to the list, but for 100.
func (i *interims) watch(r *http.Request) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			i.mu.Lock()
			defer i.mu.Unlock()
			if status != http.StatusContinue {
				i.list = append(i.list, fmt.Sprint(status, " ", http.Header(header)))
			}
			return nil
		},
	}))
}

func (i *interims) want(v *e2etest.Visitor, want ...string) {
	v.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if !reflect.DeepEqual(i.list, want) {
		v.Errorf("before the response came %q, want %q", i.list, want)
	}
}

func TestInterimResponsesPrecedeTheFinalOne(t *testing.T) {
	t.Parallel()
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		if transport, ok := v.Client.Transport.(*http.Transport); ok && v.Major == 2 {
			// Net/http sends no 100 after another interim response: the client waits in vain.
			transport.ExpectContinueTimeout = 50 * time.Millisecond
		}
		for _, expects := range []bool{false, true} {
			var before interims
			request := before.watch(v.Request("POST", "/hints", strings.NewReader("12345")))
			if expects {
				request.Header.Set("Expect", "100-continue")
			}
			response := v.Do(request)
			if body := e2etest.WantStatus(v, response, http.StatusOK); body != "done" ||
				response.Header.Get("X-Final") != "yes" || response.Header.Get("Link") != "" {
				v.Errorf("%q with %v", body, response.Header)
			}
			before.want(v, "103 map[Link:[</style.css>; rel=preload]]", "199 map[X-Progress:[5 <nil>]]")
		}
	})
}

func TestAClientOfHTTP10GetsNoInterimResponse(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Send("GET /hints HTTP/1.0\r\nHost: x\r\n\r\n")
	if body := c.Want("GET", http.StatusOK); body != "done" {
		t.Errorf("%q", body)
	}
	c.WantClosed()
}
