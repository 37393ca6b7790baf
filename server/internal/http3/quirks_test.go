package http3

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// serve serves HTTP/3 with nothing but package http3, and returns a connection to it that
// has sent its settings.
func serve(t *testing.T, handler http.HandlerFunc) *quic.Conn {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for the certificate
	t.Cleanup(certified.Close)
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	config := http3.ConfigureTLSConfig(&tls.Config{Certificates: certified.TLS.Certificates})
	server := &http3.Server{Handler: handler, TLSConfig: config}
	served := make(chan error, 1)
	go func() { served <- server.Serve(socket) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		_ = socket.Close()
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	insecure := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}
	conn, err := quic.DialAddr(ctx, socket.LocalAddr().String(), insecure, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	control, err := conn.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Write([]byte{0, 4, 0}); err != nil { // a control stream, and SETTINGS without any
		t.Fatal(err)
	}
	return conn
}

// putFrame sends a request, with a DATA frame that announces so many bytes, and ends it.
func putFrame(t *testing.T, conn *quic.Conn, announced uint64, sent string) {
	t.Helper()
	stream, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	var head bytes.Buffer
	encoder := qpack.NewEncoder(&head)
	for _, f := range [][2]string{{":method", "PUT"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/"}} {
		_ = encoder.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]}) // into a buffer
	}
	message := quicvarint.Append(quicvarint.Append(nil, 1), uint64(head.Len()))
	message = append(message, head.Bytes()...)
	message = append(quicvarint.Append(quicvarint.Append(message, 0), announced), sent...)
	if _, err := stream.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestABodyThatEndsWithinAFrameIsSeenToDoSo(t *testing.T) {
	type seen struct {
		err, own error // of package http3, and of ours
		left     uint64
		known    bool
	}
	requests := make(chan seen, 1)
	conn := serve(t, func(w http.ResponseWriter, r *http.Request) {
		inner := r.Body
		Adapt(w, r, false)
		_, own := io.ReadAll(r.Body)
		_, err := inner.Read(make([]byte, 1))
		left, known := leftOfFrame(inner)
		requests <- seen{err, own, left, known}
	})
	for _, sent := range []string{"0123456789", "01234", ""} {
		putFrame(t, conn, 10, sent)
		select {
		case got := <-requests:
			if !got.known || got.left != uint64(10-len(sent)) {
				t.Errorf("%d of 10 bytes: %d are missing, known %v: "+
					"has quic-go another name for bytesRemainingInFrame?",
					len(sent), got.left, got.known)
			}
			if broken := len(sent) < 10; broken != errors.Is(got.own, io.ErrUnexpectedEOF) {
				t.Errorf("%d of 10 bytes: %v", len(sent), got.own)
			}
			if !errors.Is(got.err, io.EOF) {
				t.Errorf("%d of 10 bytes: package http3 says %v: endsInFrame can go", len(sent), got.err)
			}
		case <-time.After(patience):
			t.Fatal("no request has come")
		}
	}
}
