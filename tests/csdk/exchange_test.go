package csdk_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// content returns n bytes that differ for every seed and have no period.
func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), 'c'
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func post(t testing.TB, s *harness.Server, path string, body io.Reader) *http.Response {
	t.Helper()
	response, err := s.Client.Post(s.URL+path, "application/octet-stream", body)
	harness.Check(t, err)
	return response
}

func getText(t testing.TB, s *harness.Server, path string) string {
	t.Helper()
	response, err := s.Client.Get(s.URL + path)
	harness.Check(t, err)
	b := harness.ReadAll(t, response.Body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %s", path, response.Status, b)
	}
	return string(b)
}

func checkEcho(t testing.TB, s *harness.Server, path string, body []byte, chunked bool) {
	t.Helper()
	var reader io.Reader = bytes.NewReader(body)
	if chunked {
		reader = struct{ io.Reader }{reader} // no length
	}
	response := post(t, s, path, reader)
	got := harness.ReadAll(t, response.Body)
	if response.StatusCode != http.StatusOK || !bytes.Equal(got, body) {
		t.Errorf("echo of %d bytes: %s, %d bytes, the same: %v", len(body), response.Status, len(got),
			bytes.Equal(got, body))
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		for range 200 {
			if got := getText(t, s, "/hello"); got != "hello world\n" {
				t.Fatalf("got %q", got)
			}
		}
	})
}

func TestBodiesOfAnySizeComeBackByteForByte(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 63, 64, 65, 4095, 4096, 65535, 65536, 65537, 1 << 20, 5<<20 + 7, 20 << 20}
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		for i, size := range sizes {
			checkEcho(t, s, "/echo", content(uint64(i), size), false)
			checkEcho(t, s, "/echo", content(uint64(i+100), size), true)
		}
	})
}

func TestExamplesEcho(t *testing.T) {
	t.Parallel()
	for _, example := range []struct{ source, arguments string }{
		{"examples/echo.c", ""}, {"examples/echo.c", "--threads 4"}, {"examples/event_loop.c", ""},
	} {
		t.Run(filepath.Base(example.source)+example.arguments, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, nil)
			w := start(t, s, example.source, example.arguments)
			for i, size := range []int{0, 1, 65536, 3<<20 + 1, 20 << 20} {
				checkEcho(t, s, "/", content(uint64(i), size), i%2 == 0)
			}
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() { checkEcho(t, s, "/", content(uint64(i), 1<<20+i*4099), true) })
			}
			all.Wait()
			w.Signal(syscall.SIGTERM)
			if status := w.Wait(); status != 0 {
				t.Errorf("exit status %d after SIGTERM", status)
			}
		})
	}
}

func TestManyUploadsAreInFlightOnOneLink(t *testing.T) {
	t.Parallel()
	// Little memory: every upload has to wait for room, on both sides.
	small := func(c *server.Config) {
		c.SlotSize, c.HeaderLimit, c.LinkMemory, c.Memory = 16<<10, 16<<10, 2<<20, 16<<20
	}
	eachBell(t, small, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() { checkEcho(t, s, "/echo", content(uint64(i), 2<<20+i*7919), true) })
		}
		all.Wait()
	})
}

// TestRequestsOfOneLinkEndOutOfOrder keeps one upload open while others come and
// go behind it.
func TestRequestsOfOneLinkEndOutOfOrder(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		feed, response := beginEcho(t, s, "/echo/first")
		for i := range 50 {
			checkEcho(t, s, "/echo", content(uint64(i), i*1000), false)
		}
		endEcho(t, feed, response)
	})
}

// beginEcho begins an upload that is echoed, and returns when its first bytes have
// come back. The response's body is closed when the test ends.
func beginEcho(t *testing.T, s *harness.Server, path string) (feed *io.PipeWriter, response *http.Response) {
	t.Helper()
	body, feed := io.Pipe()
	t.Cleanup(func() { _ = feed.Close() })
	go func() { _, _ = feed.Write([]byte("begin ")) }()
	response = post(t, s, path, body)
	t.Cleanup(func() { _ = response.Body.Close() })
	b := make([]byte, 6)
	if _, err := io.ReadFull(response.Body, b); err != nil || string(b) != "begin " {
		t.Fatalf("got %q, %v", b, err)
	}
	return feed, response
}

// endEcho ends the upload and reads what it sent last.
func endEcho(t *testing.T, feed *io.PipeWriter, response *http.Response) {
	t.Helper()
	go func() {
		_, _ = feed.Write([]byte("end"))
		_ = feed.Close()
	}()
	if got := string(harness.ReadAll(t, response.Body)); got != "end" {
		t.Errorf("got %q", got)
	}
}

func TestTheBytesOfAnUploadComeBackBeforeItEnds(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		conn, err := net.Dial("tcp", s.Addr)
		harness.Check(t, err)
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(harness.Patience))
		fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		reader := bufio.NewReader(conn)
		fmt.Fprintf(conn, "5\r\nfirst\r\n")
		response, err := http.ReadResponse(reader, nil)
		harness.Check(t, err)
		for _, word := range []string{"first", "second", "third"} {
			b := make([]byte, len(word))
			if _, err := io.ReadFull(response.Body, b); err != nil || string(b) != word {
				t.Fatalf("got %q, %v", b, err)
			}
			next := map[string]string{"first": "second", "second": "third"}[word]
			fmt.Fprintf(conn, "%x\r\n%s\r\n", len(next), next) // after the last: the end
		}
		if b, err := io.ReadAll(response.Body); err != nil || len(b) != 0 {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func TestDigest(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	start(t, s, "examples/digest.c", "--threads 2")
	var all sync.WaitGroup
	for i, size := range []int{0, 1, 55, 56, 63, 64, 65, 119, 120, 65536, 1 << 20, 10<<20 + 3} {
		all.Go(func() {
			body := content(uint64(i), size)
			got := string(harness.ReadAll(t, post(t, s, "/", bytes.NewReader(body)).Body))
			if want := fmt.Sprintf("{\"sha256\":\"%x\",\"bytes\":%d}\n", sha256.Sum256(body), size); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	all.Wait()
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	start(t, s, "examples/discard.c", "")
	got := string(harness.ReadAll(t, post(t, s, "/", bytes.NewReader(content(1, 3<<20))).Body))
	if got != "{\"bytes\":3145728}\n" {
		t.Errorf("got %s", got)
	}
}

func TestSendFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	want := content(9, 30<<20+5)
	harness.Check(t, os.WriteFile(path, want, 0o600))
	s := harness.Start(t, func(c *server.Config) { c.StallTime = 0 }) // two of the clients wait for the others
	start(t, s, "examples/send_file.c", "--threads 2 --file "+path)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if got := getText(t, s, "/"); got != string(want) {
				t.Errorf("got %d bytes, want %d", len(got), len(want))
			}
		})
	}
	all.Wait()
	response, err := s.Client.Head(s.URL + "/")
	harness.Check(t, err)
	if response.ContentLength != int64(len(want)) {
		t.Errorf("HEAD: length %d, want %d", response.ContentLength, len(want))
	}
	if response := post(t, s, "/", strings.NewReader("x")); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}

func TestHeadersReachTheWorker(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		request, err := http.NewRequest(http.MethodPut, s.URL+"/headers?q=a%20b", nil)
		harness.Check(t, err)
		request.URL.Path = "/headers"
		request.URL.RawQuery = ""
		request.Host = "Example.com:81"
		request.Header.Set("X-Empty", "")
		request.Header.Add("X-Twice", "one")
		request.Header.Add("X-Twice", "two")
		response, err := s.Client.Do(request)
		harness.Check(t, err)
		got := string(harness.ReadAll(t, response.Body))
		for _, want := range []string{
			"HTTP 1\nPUT /headers\nhttp Example.com:81\n", "x-empty: \n", "x-twice: one\n", "x-twice: two\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
		if got := response.Header.Get("Content-Type"); got != "text/plain" {
			t.Errorf("content type %q", got)
		}
	})
}

func TestTrailersGoBothWays(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		request, err := http.NewRequest(http.MethodPost, s.URL+"/trailers",
			struct{ io.Reader }{strings.NewReader("some body")})
		harness.Check(t, err)
		request.Trailer = http.Header{"X-Sum": {"1234"}, "X-Other": {""}}
		response, err := s.Client.Do(request)
		harness.Check(t, err)
		if got := string(harness.ReadAll(t, response.Body)); got != "body\n" ||
			response.Trailer.Get("X-Sum") != "1234" {
			t.Errorf("got %q, trailers %v", got, response.Trailer)
		}
	})
}

func TestAResponseMayComeBeforeTheUploadEnds(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		for range 5 {
			response := post(t, s, "/early", bytes.NewReader(content(1, 100<<10)))
			if got := string(harness.ReadAll(t, response.Body)); got != "early\n" {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestAWorkerIsToldThatTheClientIsGone(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, w *harness.Process) {
		conn, err := net.Dial("tcp", s.Addr) // blocked in a call
		harness.Check(t, err)
		fmt.Fprintf(conn, "POST /read/gone HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nsome")
		awaitSaid(t, w, "/read/gone reads")
		harness.Check(t, conn.Close())
		awaitSaid(t, w, fmt.Sprintf("/read/gone error %d: client gone", syscall.ECANCELED))

		_, response := beginEcho(t, s, "/echo/gone") // waiting for news
		harness.Check(t, response.Body.Close())
		awaitSaid(t, w, fmt.Sprintf("/echo/gone error %d: client gone", syscall.ECANCELED))

		response, err = s.Client.Get(s.URL + "/endless") // writing
		harness.Check(t, err)
		_, _ = io.ReadFull(response.Body, make([]byte, 1<<20))
		harness.Check(t, response.Body.Close())
		awaitSaid(t, w, fmt.Sprintf("/endless error %d: client gone", syscall.ECANCELED))
		s.AwaitRest(t)
		if got := getText(t, s, "/hello"); got != "hello world\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestAnAbortedResponseNeverLooksComplete(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		response, err := s.Client.Get(s.URL + "/abort")
		harness.Check(t, err)
		harness.ReadAll(t, response.Body)
		if response.StatusCode != http.StatusBadGateway {
			t.Errorf("aborted before the headers: %s", response.Status)
		}
		response, err = s.Client.Get(s.URL + "/abort-late")
		if err != nil {
			return // the headers did not even come through
		}
		if b, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("aborted after %q, and the response is whole", b)
		}
	})
}

func TestMisuseIsAnError(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, w *harness.Process) {
		if got := getText(t, s, "/misuse"); got != "told\n" {
			t.Errorf("got %q", got)
		}
		getText(t, s, "/after")
		awaitSaid(t, w, "/after stale")
	})
}

func TestAForkedChildIsRefused(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, _ *harness.Process) {
		if got := getText(t, s, "/fork"); got != "child refused\n" {
			t.Errorf("got %q", got)
		}
		if got := getText(t, s, "/hello"); got != "hello world\n" { // the parent is none the worse
			t.Errorf("got %q", got)
		}
	})
}

func TestAKilledWorkerIsNoticedAndReplaced(t *testing.T) {
	t.Parallel()
	eachBell(t, nil, func(t *testing.T, s *harness.Server, w *harness.Process) {
		_, response := beginEcho(t, s, "/echo")
		w.Kill()
		if _, err := io.ReadAll(response.Body); err == nil {
			t.Error("the response of a killed worker is whole")
		}
		start(t, s, "tests/worker.c", "")
		if got := getText(t, s, "/hello"); got != "hello world\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestADrainedWorkerFinishesAndLeaves(t *testing.T) {
	t.Parallel()
	impatient := func(c *server.Config) { c.QueueTime = 100 * time.Millisecond }
	eachBell(t, impatient, func(t *testing.T, s *harness.Server, w *harness.Process) {
		feed, response := beginEcho(t, s, "/echo")
		w.Signal(syscall.SIGTERM)
		harness.Eventually(t, "the worker to take nothing new", func() bool {
			response, err := s.Client.Get(s.URL + "/hello")
			harness.Check(t, err)
			harness.ReadAll(t, response.Body)
			return response.StatusCode == http.StatusServiceUnavailable
		})
		endEcho(t, feed, response)
		if status := w.Wait(); status != 0 || !strings.Contains(w.Output(), "link drained") {
			t.Errorf("exit status %d, output %q", status, w.Output())
		}
	})
}

func TestARefusalNamesItsReason(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	w := harness.StartProgram(t, io.Discard, []string{cbuild.Program(t, "tests/worker.c")},
		harness.SocketVariable+"="+s.Socket, "UPLOAD_RESPONSE_POOL=nobody")
	if status := w.Wait(); status != 3 || !strings.Contains(w.Output(), fmt.Sprintf("refused %d: ", syscall.ENXIO)) ||
		!strings.Contains(w.Output(), `pool "nobody"`) {
		t.Errorf("exit status %d, output %q", status, w.Output())
	}
}
