package harness

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// listenVariable names the environment variable with the address of a server
// process.
const listenVariable = "UPLOAD_RESPONSE_TEST_LISTEN"

// RunServer is the role of a server in a process of its own, to be killed. A test
// binary that uses [StartServerProcess] has it as its role "server".
func RunServer() {
	c := server.DefaultConfig()
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	router, err := server.NewRouter(c)
	if err != nil {
		panic(err)
	}
	workers, err := server.ListenWorkers(os.Getenv(SocketVariable), false)
	if err != nil {
		panic(err)
	}
	go func() { _ = router.ServeWorkers(workers) }()
	listener, err := net.Listen("tcp", os.Getenv(listenVariable))
	if err != nil {
		panic(err)
	}
	_ = server.NewServer(router, c.Log).Serve(listener)
}

// ServerProcess is a server process that can be killed and started again, at the
// same address and with the same socket.
type ServerProcess struct {
	*Process
	Socket, Addr string

	t testing.TB
}

// StartServerProcess starts one. It is killed when the test ends.
func StartServerProcess(t testing.TB) *ServerProcess {
	t.Helper()
	s := &ServerProcess{t: t, Socket: filepath.Join(socketFolder(t), "w.sock"), Addr: freeAddress(t)}
	s.Restart()
	return s
}

// Restart starts the server, which is not running.
func (s *ServerProcess) Restart() {
	s.t.Helper()
	s.Process = StartProcess(s.t, "server", SocketVariable+"="+s.Socket, listenVariable+"="+s.Addr)
}

// freeAddress returns an address where nobody listens.
func freeAddress(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// AwaitAnswer waits until the server answers a request with a worker's 200.
func (s *ServerProcess) AwaitAnswer(request *http.Request) {
	s.t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	Eventually(s.t, "an answer", func() bool {
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode == http.StatusOK
	})
}
