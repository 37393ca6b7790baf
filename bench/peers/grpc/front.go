package main

import (
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc"
)

// front passes requests on.
type front struct{ conn *grpc.ClientConn }

// ServeHTTP passes a request to the worker, and its response back, both at once.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	_ = controller.EnableFullDuplex()
	stream, err := f.conn.NewStream(r.Context(), &service.Streams[0], methodName)
	if err == nil {
		err = sendHead(stream.SendMsg, head{Method: r.Method, Path: r.RequestURI, Length: r.ContentLength})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	sent := make(chan error, 1)
	if r.ContentLength == 0 {
		sent <- stream.CloseSend()
	} else {
		go func() { sent <- pass(stream, r.Body) }()
	}
	if err := respond(w, controller, stream); err != nil {
		panic(http.ErrAbortHandler)
	}
	<-sent
}

// pass sends the body of a request.
func pass(stream grpc.ClientStream, from io.Reader) error {
	for {
		piece := make([]byte, pieceBytes) // gRPC keeps it until it is written
		n, err := from.Read(piece)
		if n > 0 {
			if err := stream.SendMsg(message(piece[:n])); err != nil {
				return err
			}
		}
		if err != nil {
			return stream.CloseSend()
		}
	}
}

// respond sends the response as it comes.
func respond(w http.ResponseWriter, controller *http.ResponseController, stream grpc.ClientStream) error {
	h, err := receiveHead(stream.RecvMsg)
	if err != nil {
		return err
	}
	for name, values := range h.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(h.Status)
	flush := h.Header["Content-Length"] == nil
	var m message
	for {
		if err := stream.RecvMsg(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := w.Write(m); err != nil {
			return err
		}
		if flush {
			_ = controller.Flush()
		}
	}
}
