package h3_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// initial returns a packet that asks for a connection, as far as its head goes. Nothing
// in it shows who sent it.
func initial() []byte {
	b := append([]byte{0xc3, 0, 0, 0, 1, 8}, make([]byte, 8)...)
	_, _ = rand.Read(b[6:])
	b = append(append(b, 8), b[6:14]...)
	b = append(b, 0) // no token
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(1200-len(b)-2))
	return append(b, make([]byte, 1200-len(b))...)
}

// forge sends so many of them from an address, which it might as well only claim.
func forge(t *testing.T, e *harness.Secure, from string, n int) *net.UDPConn {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", e.Addr)
	harness.Check(t, err)
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, to)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	for range n {
		_, err := conn.Write(initial())
		harness.Check(t, err)
		time.Sleep(100 * time.Microsecond) // the socket's buffer may be small
	}
	return conn
}

// connect opens a connection of HTTP/3, and a stream: the server has looked at every packet
// that was sent before.
func connect(t *testing.T, e *harness.Secure) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, e.Addr, &tls.Config{RootCAs: e.Roots, NextProtos: []string{http3.NextProtoH3}}, nil)
	harness.Check(t, err)
	harness.Check(t, conn.CloseWithError(0, ""))
}

func TestPacketsWithTheAddressOfSomebodyElseLockNobodyOut(t *testing.T) {
	limits := server.DefaultLimits()
	limits.ConnsPerAddress = 3
	s := harness.StartLimited(t, limits, nil)
	e := s.Secure(t)
	forge(t, e, "127.0.0.2", 20)
	connect(t, e)
	victim := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: harness.Patience}
	client := &http.Client{
		Transport: &http.Transport{DialContext: victim.DialContext, TLSClientConfig: &tls.Config{RootCAs: e.Roots},
			DisableKeepAlives: true},
	}
	response, err := client.Get(e.URL)
	if err != nil {
		t.Fatalf("the victim's connection: %v", err)
	}
	_ = response.Body.Close()
}

func TestAddressesThatNobodyHasCheckedAreAskedToShowThatTheyAreReal(t *testing.T) {
	s := harness.Start(t, nil)
	e := s.Secure(t)
	conn := forge(t, e, "127.0.0.2", 300)
	harness.Check(t, conn.SetReadDeadline(time.Now().Add(harness.Patience)))
	packet := make([]byte, 1500)
	for {
		n, err := conn.Read(packet)
		if err != nil {
			t.Fatalf("no Retry: %v", err)
		}
		if n > 5 && packet[0]&0xf0 == 0xf0 { // RFC 9000 section 17.2.5
			break
		}
	}
	connect(t, e) // a real client gets in
}

func TestAnAddressHasOnlySoManyConnectionsOfHTTP3(t *testing.T) {
	limits := server.DefaultLimits()
	limits.ConnsPerAddress = 3
	s := harness.StartLimited(t, limits, nil)
	e := s.Secure(t)
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	config := &tls.Config{RootCAs: e.Roots, NextProtos: []string{http3.NextProtoH3}}
	var open []*quic.Conn
	for range 3 {
		conn, err := quic.DialAddr(ctx, e.Addr, config, nil)
		harness.Check(t, err)
		open = append(open, conn)
		if _, err = conn.AcceptUniStream(ctx); err != nil { // SETTINGS: the server knows that it is there
			t.Fatal(err)
		}
	}
	harness.Eventually(t, "the connection to be refused", func() bool {
		conn, err := quic.DialAddr(ctx, e.Addr, config, nil)
		if err != nil {
			return true
		}
		defer func() { _ = conn.CloseWithError(0, "") }()
		select {
		case <-conn.Context().Done():
			return true
		case <-time.After(silence):
			return false
		}
	})
	for _, conn := range open {
		_ = conn.CloseWithError(0, "")
	}
	harness.Eventually(t, "another connection to be served", func() bool {
		conn, err := quic.DialAddr(ctx, e.Addr, config, nil)
		if err != nil {
			return false
		}
		defer func() { _ = conn.CloseWithError(0, "") }()
		_, err = conn.AcceptUniStream(ctx)
		return err == nil
	})
}
