package worker_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/worker"
)

// exampleServer is a server in the process of the example. Usually it is another process:
// upload-response serve.
type exampleServer struct {
	URL    string
	socket string // for workers
	stop   func()
}

// startServer starts a server whose requests wait until a worker has attached.
func startServer() *exampleServer {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	c := server.DefaultConfig()
	c.NumStreams, c.Memory, c.LinkMemory = 8, 32<<20, 4<<20
	c.Supervised = []string{"default"}
	router, err := server.NewRouter(c)
	must(err)
	folder, err := os.MkdirTemp("", "example")
	must(err)
	socket := filepath.Join(folder, "workers.sock")
	workers, err := server.ListenWorkers(socket, false)
	must(err)
	go func() { _ = router.ServeWorkers(workers) }()
	web := httptest.NewServer(router)
	return &exampleServer{URL: web.URL, socket: socket, stop: func() {
		web.Close()
		must(errors.Join(workers.Close(), router.Close(), os.RemoveAll(folder)))
	}}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// put sends a body and returns that of the response.
func (s *exampleServer) put(body io.Reader) string {
	request, err := http.NewRequest(http.MethodPut, s.URL, body)
	must(err)
	response, err := http.DefaultClient.Do(request)
	must(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(err)
	return string(answer)
}

// Serve turns an http.Handler into a worker.
func ExampleServe() {
	s := startServer()
	defer s.stop()

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body) // while the upload runs
		if err != nil {
			return // the client is gone
		}
		fmt.Fprintf(w, "%s of %d bytes\n", r.Method, n)
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- worker.Serve(ctx, s.socket, handler) }()

	fmt.Print(s.put(strings.NewReader("hello")))
	stop() // takes no more requests, and lets those in progress finish
	fmt.Println("ended:", <-ended)
	// Output:
	// PUT of 5 bytes
	// ended: <nil>
}

// A response may begin before its upload has ended. Flush sends the bytes written so far.
func ExampleServe_streaming() {
	s := startServer()
	defer s.stop()

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines, flush := bufio.NewScanner(r.Body), http.NewResponseController(w).Flush
		for lines.Scan() {
			fmt.Fprintln(w, strings.ToUpper(lines.Text()))
			if flush() != nil {
				return // the client is gone
			}
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- worker.Serve(ctx, s.socket, handler) }()

	body, upload := io.Pipe()
	go fmt.Fprintln(upload, "one")
	response, err := http.Post(s.URL, "text/plain", body)
	must(err)
	defer response.Body.Close()
	answer := bufio.NewReader(response.Body)
	for _, next := range []string{"two", "three"} {
		line, err := answer.ReadString('\n')
		must(err)
		fmt.Print(line)
		fmt.Fprintln(upload, next) // only now
	}
	must(upload.Close())
	rest, err := io.ReadAll(answer)
	must(err)
	fmt.Print(string(rest))
	stop()
	must(<-ended)
	// Output:
	// ONE
	// TWO
	// THREE
}

// The context of a request ends when its client is gone.
func ExampleServe_clientGone() {
	s := startServer()
	defer s.stop()

	begun, gone := make(chan struct{}), make(chan error)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done() // or a query, a computation, another request with this context
		gone <- r.Context().Err()
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- worker.Serve(ctx, s.socket, handler) }()

	leave, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(leave, http.MethodGet, s.URL, nil)
	must(err)
	go func() {
		<-begun
		cancel()
	}()
	if _, err := http.DefaultClient.Do(request); err != nil { //nolint:bodyclose // there is no response
		fmt.Println("client:", errors.Is(err, context.Canceled))
	}
	fmt.Println("handler:", <-gone)
	stop()
	must(<-ended)
	// Output:
	// client: true
	// handler: context canceled
}

// The slot-level API reads and writes shared memory without a copy.
func ExampleAttach() {
	s := startServer()
	defer s.stop()

	ctx := context.Background()
	link, err := worker.Attach(ctx, s.socket, worker.WithName("upper"), worker.WithLanes(4))
	must(err)
	go func() {
		for {
			request, err := link.Next(ctx)
			if err != nil {
				return // worker.ErrClosed: the link is closed, or the server gone
			}
			go func() { // several requests at once
				if upper(ctx, request) != nil {
					request.Abort()
				}
			}()
		}
	}()

	fmt.Println(s.put(strings.NewReader("slot by slot")))
	must(link.Drain(ctx)) // lets the requests in progress finish, and closes the link
	// Output:
	// SLOT BY SLOT
}

// upper answers a request with its body in upper case.
func upper(ctx context.Context, r *worker.Request) error {
	for n := uint64(1); ; n++ {
		slot, err := r.Tail(ctx, n) // waits for the client
		if err != nil {
			return err
		}
		switch slot.Kind {
		case worker.Headers:
			err = r.Respond(ctx, http.StatusOK, []proto.Field{{Name: "content-type", Value: "text/plain"}})
		case worker.Body:
			_, err = r.WriteContext(ctx, bytes.ToUpper(slot.Bytes)) // waits for room
		case worker.End:
			return r.End(ctx)
		}
		if err != nil {
			return err
		}
		r.Release(n) // slot.Bytes belong to the server again
	}
}

// Reserve returns shared memory to write into, and Commit makes it a part of the body.
func ExampleRequest_Reserve() {
	s := startServer()
	defer s.stop()

	ctx := context.Background()
	link, err := worker.Attach(ctx, s.socket)
	must(err)
	go func() {
		request, err := link.Next(ctx)
		must(err)
		must(request.Respond(ctx, http.StatusOK, nil))
		source := strings.NewReader("straight into shared memory")
		for {
			space, err := request.Reserve(ctx) // waits for room
			must(err)
			n, err := source.Read(space)
			request.Commit(n)
			if err == io.EOF {
				break
			}
			must(err)
		}
		must(request.End(ctx))
	}()

	fmt.Println(s.put(nil))
	must(link.Drain(ctx))
	// Output:
	// straight into shared memory
}

// Interim sends early hints before the response.
func ExampleRequest_Interim() {
	s := startServer()
	defer s.stop()

	ctx := context.Background()
	link, err := worker.Attach(ctx, s.socket)
	must(err)
	go func() {
		request, err := link.Next(ctx)
		must(err)
		style := []proto.Field{{Name: "link", Value: "</style.css>; rel=preload; as=style"}}
		must(request.Interim(ctx, http.StatusEarlyHints, style))
		must(request.Respond(ctx, http.StatusNoContent, nil))
		must(request.End(ctx))
	}()

	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(err)
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "HTTP/1.1 ") || strings.HasPrefix(lines.Text(), "Link: ") {
			fmt.Println(lines.Text())
		}
	}
	must(link.Drain(ctx))
	// Output:
	// HTTP/1.1 103 Early Hints
	// Link: </style.css>; rel=preload; as=style
	// HTTP/1.1 204 No Content
}

// AcceptWebSocket opens a WebSocket in an http.Handler, over any version of HTTP.
func ExampleAcceptWebSocket() {
	s := startServer()
	defer s.stop()

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := worker.AcceptWebSocket(w, r)
		if err != nil {
			http.Error(w, "this is a WebSocket", http.StatusUpgradeRequired)
			return
		}
		for {
			kind, message, err := socket.Read(r.Context())
			var closed *worker.CloseError
			if errors.As(err, &closed) {
				fmt.Println("worker:", closed.Code, closed.Reason)
			}
			if err != nil {
				return
			}
			if socket.Write(r.Context(), kind, append([]byte("echo: "), message...)) != nil {
				return // the client is gone
			}
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- worker.Serve(ctx, s.socket, handler) }()

	conn, _, _, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http"))
	must(err)
	must(wsutil.WriteClientText(conn, []byte("hello")))
	answer, err := wsutil.ReadServerText(conn)
	must(err)
	fmt.Println("client:", string(answer))
	must(wsutil.WriteClientMessage(conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "bye")))
	_, err = wsutil.ReadServerText(conn)
	var end wsutil.ClosedError
	fmt.Println("client:", errors.As(err, &end), end.Code)
	must(conn.Close())
	stop()
	must(<-ended)
	// Unordered output:
	// client: echo: hello
	// worker: 1000 bye
	// client: true 1000
}
