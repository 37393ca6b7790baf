package csdk_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// hello asks a server process for a page.
func hello(t *testing.T, s *harness.ServerProcess, path string) *http.Request {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+s.Addr+path, nil)
	harness.Check(t, err)
	return request
}

// startBeside starts a C program as a worker of a server process.
func startBeside(t *testing.T, s *harness.ServerProcess, source string, env ...string) *harness.Process {
	t.Helper()
	return harness.StartProgram(t, io.Discard, []string{cbuild.Program(t, source)},
		append(env, harness.SocketVariable+"="+s.Socket)...)
}

func TestAWorkerAttachesAgainWhenItsServerIsBack(t *testing.T) {
	t.Parallel()
	for _, v := range bells {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := harness.StartServerProcess(t)
			w := startBeside(t, s, "tests/worker.c", v.env...)
			s.AwaitAnswer(hello(t, s, "/hello"))
			body, feed := io.Pipe()
			defer feed.Close()
			go func() { // a request in progress
				client := &http.Client{Timeout: harness.Patience}
				response, err := client.Post("http://"+s.Addr+"/read/killed", "text/plain", body)
				if err == nil {
					_ = response.Body.Close()
				}
			}()
			go func() { _, _ = feed.Write([]byte("some")) }()
			awaitSaid(t, w, "/read/killed reads")
			killed := time.Now()
			s.Kill()
			awaitSaid(t, w, "server gone")
			if took := time.Since(killed); took > 10*time.Second {
				t.Errorf("the death of the server was noticed after %v", took)
			}
			awaitSaid(t, w, "link the server is gone")
			s.Restart()
			s.AwaitAnswer(hello(t, s, "/hello"))
			w.Signal(syscall.SIGTERM)
			if status := w.Wait(); status != 0 {
				t.Errorf("exit status %d", status)
			}
		})
	}
}

func TestTheExamplesOutliveTheirServer(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"examples/echo.c", "examples/event_loop.c"} {
		t.Run(strings.TrimSuffix(filepath.Base(source), ".c"), func(t *testing.T) {
			t.Parallel()
			s := harness.StartServerProcess(t)
			w := startBeside(t, s, source)
			s.AwaitAnswer(hello(t, s, "/"))
			s.Kill()
			s.Restart()
			s.AwaitAnswer(hello(t, s, "/"))
			s.Kill()
			w.Signal(syscall.SIGTERM) // while there is no server
			if status := w.Wait(); status != 0 {
				t.Errorf("exit status %d, output %s", status, w.Output())
			}
		})
	}
}
