//go:build csdk

package csdk_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// runServer is a server in a process of its own, to be killed.
func runServer() {
	c := server.DefaultConfig()
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	router, err := server.NewRouter(c)
	if err != nil {
		panic(err)
	}
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	if err != nil {
		panic(err)
	}
	go func() { _ = router.ServeWorkers(workers) }()
	listener, err := net.Listen("tcp", os.Getenv("CSDK_LISTEN"))
	if err != nil {
		panic(err)
	}
	_ = server.NewServer(router, c.Log).Serve(listener)
}

// freeAddress returns an address where nobody listens.
func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// restartable is a server process and where it is.
type restartable struct {
	*harness.Process
	t              *testing.T
	socket, listen string
}

func startRestartable(t *testing.T) *restartable {
	dir, err := os.MkdirTemp("", "ur")
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &restartable{t: t, socket: filepath.Join(dir, "w.sock"), listen: freeAddress(t)}
	s.start()
	return s
}

func (s *restartable) start() {
	s.Process = harness.StartProcess(s.t, "server", harness.SocketVariable+"="+s.socket, "CSDK_LISTEN="+s.listen)
}

// awaitHello waits until the server answers with a worker's answer.
func (s *restartable) awaitHello(path string) {
	s.t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	harness.Eventually(s.t, "an answer", func() bool {
		response, err := client.Get("http://" + s.listen + path)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode == http.StatusOK
	})
}

func TestAWorkerAttachesAgainWhenItsServerIsBack(t *testing.T) {
	for _, v := range bells {
		t.Run(v.name, func(t *testing.T) {
			s := startRestartable(t)
			w := harness.StartProcess(t, "program", append(v.env, harness.SocketVariable+"="+s.socket, "CSDK_PROGRAM="+program(t, "tests/worker.c"))...)
			s.awaitHello("/hello")
			body, feed := io.Pipe()
			defer feed.Close()
			go func() { // a request in progress
				response, err := http.Post("http://"+s.listen+"/read/killed", "text/plain", body)
				if err == nil {
					_ = response.Body.Close()
				}
			}()
			_, _ = feed.Write([]byte("some"))
			awaitSaid(t, w, "/read/killed reads")
			killed := time.Now()
			s.Kill()
			awaitSaid(t, w, "server gone")
			if took := time.Since(killed); took > 2*time.Second {
				t.Errorf("the death of the server was noticed after %v", took)
			}
			awaitSaid(t, w, "link the server is gone")
			s.start()
			s.awaitHello("/hello")
			w.Signal(syscall.SIGTERM)
			if status := w.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		})
	}
}

func TestTheExamplesOutliveTheirServer(t *testing.T) {
	for _, source := range []string{"examples/echo.c", "examples/event_loop.c"} {
		t.Run(strings.TrimSuffix(filepath.Base(source), ".c"), func(t *testing.T) {
			s := startRestartable(t)
			w := harness.StartProcess(t, "program", harness.SocketVariable+"="+s.socket, "CSDK_PROGRAM="+program(t, source))
			s.awaitHello("/")
			s.Kill()
			s.start()
			s.awaitHello("/")
			s.Kill()
			w.Signal(syscall.SIGTERM) // while there is no server
			if status := w.Wait(); status != 0 {
				t.Errorf("exit status %d, output %s", status, w.Output())
			}
		})
	}
}
