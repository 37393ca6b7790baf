package conformance_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// inFlight is one of many uploads that are echoed at the same time.
type inFlight struct {
	conn
	t        *testing.T
	id       string
	body     []byte
	pieces   [][]byte
	response *http.Response
	echoed   int
}

// step sends the next piece and reads it back, or ends the upload. It reports
// whether there is more to do.
func (f *inFlight) step() bool {
	if len(f.pieces) == 0 {
		f.finish()
		if rest := harness.ReadAll(f.t, f.response.Body); len(rest) != 0 {
			f.t.Errorf("%d bytes too many came back", len(rest))
		}
		return false
	}
	piece := f.pieces[0]
	f.pieces = f.pieces[1:]
	f.chunk(piece)
	if f.response == nil {
		f.response = f.conn.response("POST")
	}
	wantNext(f.t, f.response.Body, piece)
	f.echoed += len(piece)
	return true
}

var manyCases = []conformanceCase{
	{promise: "64 uploads are in flight on one link, interleaved, and end in any order", alone: true,
		check: func(t *testing.T, r *rig) {
			random := rand.New(rand.NewPCG(4, 5))
			flights := make([]*inFlight, 64)
			for i := range flights {
				c, id := r.upload(t, fmt.Sprintf("respond 200; echo %d; end", 1+random.IntN(2000)))
				body := content(uint64(i), random.IntN(8000))
				flights[i] = &inFlight{
					conn: c, t: t, id: id, body: body, pieces: append(pieces(random, body, 3000), []byte("last")),
				}
				r.driver.await(t, id, "begin")
			}
			for open := flights; len(open) > 0; {
				i := random.IntN(len(open))
				if !open[i].step() {
					open = append(open[:i:i], open[i+1:]...)
				}
			}
			for _, f := range flights {
				rest := wantBody(t, r.driver.story(t, f.id)[1:], append(f.body, "last"...))
				wantRest(t, rest, "echo ok", "end ok")
			}
		}},
	{promise: "a request that is held holds up no other on its link", plainly: true, check: func(t *testing.T, r *rig) {
		c, held := r.open(t, "GET", "hold many; respond 200; write 3; end")
		r.driver.await(t, held, "begin")
		for range 50 {
			response, _ := r.ask(t, "POST", "respond 200; write 10; read; end", bytes.NewReader(content(1, 1000)))
			wantPattern(t, response.Body, 10)
		}
		response, _ := r.ask(t, "GET", "let many; respond 200; end", nil)
		wantStatus(t, response, 200)
		wantPattern(t, c.response("GET").Body, 3)
	}},
	{promise: "several links serve in one process, and share nothing", plainly: true,
		env: []string{linksVariable + "=3", lanesVariable + "=8"}, check: func(t *testing.T, r *rig) {
			for n := range 2 {
				r.driver.awaitNth(t, "-", "attached", n+2)
			}
			harness.Eventually(t, "three links", func() bool { return r.server.Router.Stats().Links == 3 })
			var all sync.WaitGroup
			for i := range 24 {
				request, id := r.request(t, "POST", "respond 200; echo 5000; end", nil)
				all.Go(func() { echoOn(t, r, request, id, i) })
			}
			all.Wait()
			for link := range 3 {
				if r.driver.said.count(fmt.Sprintf("begin %d", link)) == 0 {
					t.Errorf("link %d served nothing", link)
				}
			}
		}},
}

// echoOn sends bodies of many slots, one after the other.
func echoOn(t *testing.T, r *rig, request *http.Request, id string, seed int) {
	for n := range 4 {
		body := content(uint64(seed*10+n), 100000*n+seed)
		q, err := http.NewRequest("POST", request.URL.String(), bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		q.Header = request.Header.Clone()
		q.Header.Set("X-Id", fmt.Sprintf("%s-%d", id, n))
		response, err := r.client.Do(q)
		if err != nil {
			t.Error(err)
			return
		}
		var got bytes.Buffer
		_, err = got.ReadFrom(response.Body)
		_ = response.Body.Close()
		if err != nil || !bytes.Equal(got.Bytes(), body) {
			t.Errorf("%d bytes came back of %d, %v", got.Len(), len(body), err)
		}
	}
}
