package role

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/server/tlscert"
)

// The windows and sizes of the in-process handler: the same as in package server, so that
// only the way to the worker differs.
const (
	http2ConnWindow   = 4<<20 - 1
	http2StreamWindow = 1 << 20
	http2FrameSize    = 256 << 10
	quicStreamWindow  = 6 << 20
	quicConnWindow    = 8 * quicStreamWindow
	udpBuffer         = 7 << 20
)

// handlerRole serves the handler with net/http and quic-go, without a worker. With
// --listen unix:PATH it serves only HTTP/1.1, on that socket.
func handlerRole(args []string) error {
	flags := flag.NewFlagSet("handler", flag.ContinueOnError)
	listen := flags.String("listen", "", "unix:PATH")
	if err := flags.Parse(args); err != nil {
		return err
	}
	answerStats()
	s := newHandlerServer()
	if path, ok := strings.CutPrefix(*listen, "unix:"); ok {
		return serveUnix(s, path)
	}
	a, err := serveHandler(s)
	if err != nil {
		return err
	}
	if err := Announce(a); err != nil {
		return err
	}
	return AwaitEnd()
}

func newHandlerServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: Handler, Protocols: protocols, HTTP2: &http.HTTP2Config{
		MaxConcurrentStreams: 100, MaxReadFrameSize: http2FrameSize,
		MaxReceiveBufferPerConnection: http2ConnWindow, MaxReceiveBufferPerStream: http2StreamWindow,
	}}
}

func serveUnix(s *http.Server, path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() { _ = s.Serve(l) }()
	defer l.Close() // removes the socket
	if err := Announce(Addresses{Clear: "unix:" + path}); err != nil {
		return err
	}
	return AwaitEnd()
}

// serveHandler serves every version of HTTP, until the process ends.
func serveHandler(s *http.Server) (a Addresses, err error) {
	certificate, err := tlscert.SelfSigned()
	if err != nil {
		return a, err
	}
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	config, err := tlscert.NewConfig(get, "")
	if err != nil {
		return a, err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return a, err
	}
	secure, packets, err := listenBoth()
	if err != nil {
		return a, err
	}
	go func() { _ = s.Serve(plain) }()
	s.TLSConfig = config
	go func() { _ = s.ServeTLS(secure, "", "") }()
	go func() { _ = serveQUIC(packets, config) }()
	return Addresses{Clear: plain.Addr().String(), Secure: secure.Addr().String()}, nil
}

// serveQUIC serves HTTP/3.
func serveQUIC(conn *net.UDPConn, config *tls.Config) error {
	_, _ = conn.SetReadBuffer(udpBuffer), conn.SetWriteBuffer(udpBuffer)
	h3 := &http3.Server{Handler: Handler}
	listener, err := (&quic.Transport{Conn: conn}).ListenEarly(http3.ConfigureTLSConfig(config), &quic.Config{
		MaxIncomingStreams: 100, MaxIncomingUniStreams: 8,
		InitialStreamReceiveWindow: 1 << 20, MaxStreamReceiveWindow: quicStreamWindow,
		InitialConnectionReceiveWindow: 2 << 20, MaxConnectionReceiveWindow: quicConnWindow,
	})
	if err != nil {
		return err
	}
	return h3.ServeListener(listener)
}

// listenBoth listens on a TCP and a UDP port of the same number.
func listenBoth() (net.Listener, *net.UDPConn, error) {
	var failed error
	for range 100 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		at := tcp.Addr().(*net.TCPAddr)
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port})
		if err == nil {
			return tcp, udp, nil
		}
		failed = errors.Join(err, tcp.Close())
	}
	return nil, nil, fmt.Errorf("no port is free for TCP and UDP: %w", failed)
}
