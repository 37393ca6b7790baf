// The peer of the benchmarks that passes requests to another process over gRPC: a front
// that takes HTTP, and a worker that serves the handler of the benchmarks. Between them
// is a Unix socket, and a stream of messages for each request.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// The windows are larger than the default, which would hold a fast upload up.
const window = 8 << 20

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "worker":
		return runWorker(args[1])
	case len(args) == 3 && args[0] == "front":
		return runFront(args[1], args[2])
	}
	return fmt.Errorf("usage: grpc worker SOCKET, or grpc front SOCKET HOST:PORT")
}

// runWorker serves the handler on a Unix socket.
func runWorker(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	s := grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}), grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.MaxConcurrentStreams(4096), grpc.ReadBufferSize(256<<10), grpc.WriteBufferSize(256<<10),
	)
	s.RegisterService(&service, nil)
	return s.Serve(l)
}

// runFront serves HTTP.
func runFront(socket, address string) error {
	conn, err := grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window), grpc.WithReadBufferSize(256<<10),
		grpc.WithWriteBufferSize(256<<10),
	)
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Addr: address, Handler: &front{conn}, Protocols: protocols}
	return s.ListenAndServe()
}
