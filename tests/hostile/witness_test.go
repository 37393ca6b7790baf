package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// sighting is a request as whoever serves it sees it.
type sighting struct {
	Method, Target, Host, Body string
	Header, Trailer            http.Header
	Broken                     string // why the body did not come to its end
}

// seenField is the field of a response that says which request it answers. None that
// lacks it is from a witness.
const seenField = "Seen"

// witness tells see what it sees, request for request, and answers 200.
func witness(see func(sighting)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s := sighting{
			Method: r.Method, Target: r.RequestURI, Host: r.Host, Body: string(body), Header: r.Header,
			Trailer: r.Trailer,
		}
		if err != nil {
			s.Broken = err.Error()
		}
		see(s)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set(seenField, r.RequestURI)
	})
}

// seenPrefix begins the lines on which a worker says what it sees.
const seenPrefix = "seen "

// runWitness is the role of the worker.
func runWitness() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var mu sync.Mutex
	handler := witness(func(s sighting) {
		var b bytes.Buffer
		_ = gob.NewEncoder(&b).Encode(s) // JSON would change bytes that are no text
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s%x\n", seenPrefix, b.Bytes())
	})
	if err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), handler); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// testimony ends the worker, when it has done with all it was given, and returns what
// it has seen.
func testimony(t testing.TB, s *harness.Server, p *harness.Process) (seen []sighting) {
	t.Helper()
	s.AwaitRest(t)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Fatalf("the worker ended with status %d", status)
	}
	lines := bufio.NewScanner(strings.NewReader(p.Output()))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), seenPrefix); ok {
			var s sighting
			b, err := hex.DecodeString(text)
			harness.Check(t, err)
			harness.Check(t, gob.NewDecoder(bytes.NewReader(b)).Decode(&s))
			seen = append(seen, s)
		}
	}
	harness.Check(t, lines.Err())
	return seen
}

// of returns the sightings of a row, by its name on the wire.
func of(id string, seen []sighting) (own []sighting) {
	for _, s := range seen {
		if strings.Contains(s.Target, id) || strings.Contains(s.Host, id) ||
			strings.Contains(strings.Join(s.Header["Id"], " "), id) {
			own = append(own, s)
		}
	}
	return own
}
