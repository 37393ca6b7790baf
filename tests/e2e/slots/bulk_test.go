package slots_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// The uploads of a bulk: their sizes go up to the most and are mostly small, so
// that all of them together are about 400 MiB.
const (
	bulkUploads  = 200
	bulkMostSize = 20 << 20
)

// transfer is one upload of a bulk.
type transfer struct {
	seed    uint64
	size    int64
	chunked bool // without a Content-Length
	echo    bool // the body comes back; else its digest does
	random  *rand.Rand
}

func newTransfer(seed uint64) *transfer {
	random := rand.New(rand.NewPCG(seed, 0))
	x := &transfer{seed: seed, chunked: random.IntN(2) == 0, echo: random.IntN(2) == 0, random: random}
	edges := []int64{0, 1, 65535, 65536, 65537, bulkMostSize}
	if n := int(seed % bulkUploads); n < len(edges) {
		x.size = edges[n]
	} else {
		x.size = int64(bulkMostSize * math.Pow(random.Float64(), 9))
	}
	return x
}

// run makes the upload and checks every byte of what comes back.
func (x *transfer) run(s *harness.Server) error {
	body := &e2etest.PatternReader{Pattern: e2etest.TestPattern(x.seed), Left: x.size, Most: x.piece}
	request, err := http.NewRequest("POST", s.URL+"/digest", body)
	if err != nil {
		return err
	}
	if x.echo {
		request.URL.Path = "/echo"
	}
	request.ContentLength = x.size
	if x.chunked {
		request.ContentLength = -1
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", response.Status)
	}
	if x.echo {
		return x.checkEcho(response.Body)
	}
	return x.checkDigest(response.Body)
}

// piece returns how many bytes the next write of the client has at most: mostly
// many, sometimes a few.
func (x *transfer) piece() int { return 1 << x.random.IntN(17) }

func (x *transfer) checkEcho(body io.Reader) error {
	n, err := io.Copy(&e2etest.PatternChecker{Pattern: e2etest.TestPattern(x.seed)}, body)
	if err == nil && n != x.size {
		err = fmt.Errorf("%d bytes came back", n)
	}
	return err
}

func (x *transfer) checkDigest(body io.Reader) error {
	var got e2etest.Digested
	if err := json.NewDecoder(body).Decode(&got); err != nil {
		return err
	}
	sum := sha256.New()
	_, _ = io.Copy(sum, &e2etest.PatternReader{Pattern: e2etest.TestPattern(x.seed), Left: x.size})
	if want := (e2etest.Digested{SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: x.size}); got != want {
		return fmt.Errorf("the worker read %+v, want %+v", got, want)
	}
	return nil
}

// runBulk makes all uploads at once.
func runBulk(t *testing.T, s *harness.Server, base uint64) {
	t.Helper()
	var all sync.WaitGroup
	for i := range uint64(bulkUploads) {
		all.Go(func() {
			x := newTransfer(base + i)
			if err := x.run(s); err != nil {
				t.Errorf("upload %d of seed %d (%d bytes, chunked %v, echo %v): %v", i, base, x.size,
					x.chunked, x.echo, err)
			}
		})
	}
	all.Wait()
}

func bulkSeed() uint64 { return uint64(time.Now().UnixNano()) / bulkUploads * bulkUploads }

func TestTwoHundredUploadsAtOnceArriveByteForByte(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.StallTime, c.QueueTime = 0, harness.Patience })
	e2etest.StartApp(t, s)
	beside := startDrip(t, s)
	runBulk(t, s, bulkSeed())
	beside.stop()
}

// With so little memory the pool is empty most of the time.
func TestTwoHundredUploadsAtOnceFinishInFourMiB(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) {
		e2etest.KeepSlowClients(c)
		c.QueueTime, c.Memory, c.LinkMemory, c.MaxLinks = 2*harness.Patience, 4<<20, 2<<20, 1
	})
	beside := startDrip(t, s)
	runBulk(t, s, bulkSeed())
	beside.stop()
}

// drip is a client that sends one byte after the other, each as soon as the last
// one came back.
type drip struct {
	*rawclient.HTTP1
	response *http.Response
	quit     chan struct{}
	done     chan error
	count    int
	longest  time.Duration // that a byte took
}

// startDrip starts one.
func startDrip(t *testing.T, s *harness.Server) *drip {
	t.Helper()
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/echo", "Transfer-Encoding: chunked")
	harness.Check(t, c.Conn.SetDeadline(time.Now().Add(6*harness.Patience))) // as long as the uploads may take
	d := &drip{HTTP1: c, response: c.Response("POST"), quit: make(chan struct{}), done: make(chan error, 1)}
	go func() { d.done <- d.run() }()
	return d
}

func (d *drip) run() error {
	for got := make([]byte, 1); ; d.count++ {
		select {
		case <-d.quit:
			return nil
		default:
		}
		sent, start := byte(d.count), time.Now()
		if _, err := d.Conn.Write([]byte{'1', '\r', '\n', sent, '\r', '\n'}); err != nil {
			return err
		}
		if _, err := io.ReadFull(d.response.Body, got); err != nil || !bytes.Equal(got, []byte{sent}) {
			return fmt.Errorf("byte %d came back as %d: %v", d.count, got, err)
		}
		d.longest = max(d.longest, time.Since(start))
	}
}

// stop ends it. It must not have starved.
func (d *drip) stop() {
	d.T.Helper()
	close(d.quit)
	harness.Check(d.T, <-d.done)
	d.Finish()
	harness.ReadAll(d.T, d.response.Body)
	d.T.Logf("%d bytes went there and back beside the uploads, the slowest in %v", d.count, d.longest)
	if d.count < 10 || d.longest > harness.Patience/2 {
		d.T.Error("that is starving")
	}
}
