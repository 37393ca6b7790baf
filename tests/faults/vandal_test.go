package faults_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

var (
	vandalTime = flag.Duration("vandal.time", 0, "how long vandals rage, and again as long nobody; 0 is a short run")
	vandalSeed = flag.Uint64("vandal.seed", 0, "of the random numbers; 0 is another one each time")
)

// honestField is the field by which a client knows the response of an honest worker.
const honestField = "Honest"

// honestRole serves echo and pattern, as it should.
func honestRole() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(honestField, "yes")
		_ = http.NewResponseController(w).EnableFullDuplex()
		if _, err := io.Copy(w, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	mux.HandleFunc("/pattern", func(w http.ResponseWriter, r *http.Request) {
		seed, _ := strconv.ParseUint(r.URL.Query().Get("seed"), 10, 64)
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		w.Header().Set(honestField, "yes")
		_, _ = w.Write(randomBytes(seed, size))
	})
	must(worker.Serve(ctx, os.Getenv(harness.SocketVariable), mux, worker.WithName("honest")))
}

// randomBytes returns the bytes of a seed.
func randomBytes(seed uint64, n int) []byte {
	b, key := make([]byte, n), [32]byte{}
	copy(key[:], strconv.FormatUint(seed, 10))
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// visitors are clients that do not know who serves them.
type visitors struct {
	t      *testing.T
	server *harness.Server
	over   atomic.Bool

	mu     sync.Mutex
	counts map[string]int
	small  []time.Duration // what small requests took that an honest worker served
}

// visit has so many clients send requests for a time.
func visit(t *testing.T, s *harness.Server, seed uint64, clients int, d time.Duration) *visitors {
	v := &visitors{t: t, server: s, counts: map[string]int{}}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)+1))
			for !v.over.Load() && !t.Failed() {
				v.request(random)
			}
		})
	}
	time.Sleep(d) // the length of the run, not a wait for something
	v.over.Store(true)
	all.Wait()
	return v
}

// request sends a request and checks what comes of it.
func (v *visitors) request(random *rand.Rand) {
	seed, size := random.Uint64(), 100
	if random.IntN(4) == 0 {
		size = random.IntN(200 << 10)
	}
	want := randomBytes(seed, size)
	method, path, body := http.MethodGet, fmt.Sprintf("/pattern?seed=%d&size=%d", seed, size), io.Reader(http.NoBody)
	if random.IntN(3) == 0 {
		method, path, body = []string{http.MethodPost, http.MethodPut}[random.IntN(2)], "/echo", bytes.NewReader(want)
	}
	request, err := http.NewRequest(method, v.server.URL+path, body)
	harness.Check(v.t, err)
	start := time.Now()
	response, err := v.server.Client.Do(request)
	if err != nil {
		v.failed(err)
		return
	}
	got, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	took := time.Since(start)
	if response.Header.Get(honestField) == "" {
		v.fromOthers(response, got, err)
		return
	}
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
		v.t.Errorf("%s %s, served by an honest worker: %s, %d bytes of %d, the right ones: %v, error %v", method, path,
			response.Status, len(got), len(want), bytes.Equal(got, want), err)
	}
	v.count("served by an honest worker")
	if size == 100 {
		v.mu.Lock()
		v.small = append(v.small, took)
		v.mu.Unlock()
	}
}

func (v *visitors) count(what string) {
	v.mu.Lock()
	v.counts[what]++
	v.mu.Unlock()
}

// failed takes a request without a response: a vandal's that broke off.
func (v *visitors) failed(err error) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		v.t.Errorf("a request hung: %v", err)
	}
	v.count("broken off")
}

// fromOthers takes the response of a vandal, or of the server in its place.
func (v *visitors) fromOthers(response *http.Response, body []byte, err error) {
	switch status := response.StatusCode; {
	case err != nil:
		v.count("broken off")
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout: // docs/faults.md, rows 2, 5, 7, 9
		v.count(strconv.Itoa(status))
	case status < http.StatusInternalServerError:
		v.count("answered by a vandal")
	default:
		v.t.Errorf("%s: %.200q", response.Status, body)
	}
}

// quantile returns what a share of the small requests stayed below.
func (v *visitors) quantile(share float64) time.Duration {
	slices.Sort(v.small)
	if len(v.small) == 0 {
		return 0
	}
	return v.small[int(share*float64(len(v.small)-1))]
}

func (v *visitors) String() string {
	return fmt.Sprintf("%v; small requests: %d, median %v, 99 %% %v, 99.9 %% %v, slowest %v", v.counts, len(v.small),
		v.quantile(0.5), v.quantile(0.99), v.quantile(0.999), v.quantile(1))
}

// Whatever two workers of a pool write into their memory, the clients of its honest
// workers get their bytes, and no honest worker is blamed.
func TestVandalsHarmNobodyWhoIsServedByOthersOfTheirPool(t *testing.T) {
	seed, d, clients := *vandalSeed, *vandalTime, 50
	if seed == 0 {
		seed = rand.Uint64()
	}
	if d == 0 {
		d, clients = 2*time.Second, 20
	}
	t.Logf("-vandal.seed %d", seed)
	s := harness.Start(t, func(c *server.Config) {
		c.ResponseTimeout, c.StallTime = time.Second, 0
	})
	for range 2 {
		s.StartWorker(t, "honest")
	}
	if *vandalTime > 0 {
		t.Logf("nobody rages: %v", visit(t, s, seed, clients, d))
	}
	var vandals []*harness.Process
	for i := range 2 {
		vandals = append(vandals, s.StartWorker(t, "vandal", fmt.Sprintf("%s=%d", seedVariable, seed+uint64(i))))
	}
	raging := visit(t, s, seed, clients, d)
	t.Logf("two rage: %v", raging)
	t.Logf("%+v", s.Router.Stats())
	for _, p := range vandals {
		select {
		case <-p.Ended():
			t.Errorf("a vandal ended: %s", p.How())
		default:
			p.Signal(syscall.SIGKILL)
			p.Kill()
		}
	}
	if raging.counts["served by an honest worker"] == 0 || s.Router.Stats().Evicted == 0 {
		t.Error("nobody was served, or nobody evicted")
	}
	for line := range strings.Lines(s.Log.String()) {
		if strings.Contains(line, "=honest") && !strings.Contains(line, "link attached") {
			t.Errorf("an honest worker is blamed: %s", line)
		}
	}
	wantServedByTheHonest(t, s, seed)
}

// wantServedByTheHonest checks that nothing is left of the vandals.
func wantServedByTheHonest(t *testing.T, s *harness.Server, seed uint64) {
	t.Helper()
	harness.Eventually(t, "the vandals' links to go", func() bool { return s.Router.Stats().Links == 2 })
	s.AwaitRest(t)
	v := &visitors{t: t, server: s, counts: map[string]int{}}
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		v.request(random)
	}
	if v.counts["served by an honest worker"] != 100 {
		t.Errorf("with nobody but honest workers: %v", v)
	}
}
