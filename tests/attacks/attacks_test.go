//go:build attacks

package attacks_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// attack is something that clients or workers do to a server, and what it may cost.
type attack struct {
	name, role string // and the worker that is there; empty: none
	most       weight // MiB and descriptors: the bounds that are stated
	run        func(s *target)
}

// attacks are all of them. None takes the server's memory for requests and responses
// beyond its budget: mostly it is not touched at all.
var attacks = []attack{
	{"10,000 packets of QUIC that claim to be from 64 addresses", "worker", weight{private: 24, descriptors: 8},
		forgedInitials},
	{"1,000 connections of one address with half a request", "worker",
		weight{private: 192, descriptors: 1010}, halfRequests},
	{"1,000 connections that never say hello to TLS", "worker", weight{private: 64, descriptors: 1010}, halfHandshakes},
	{"400 uploads over 100 connections of HTTP/2 that nobody reads",
		"idler", weight{private: 256, shared: memory >> 20, descriptors: 400},
		func(s *target) { unreadUploads(s, plainHTTP2, 100, 4) }},
	{"160 uploads over 16 connections of HTTP/3 that nobody reads",
		"idler", weight{private: 64, shared: memory >> 20, descriptors: 30},
		func(s *target) { unreadUploads(s, overHTTP3, 16, 10) }},
	{"8,000 keys of 30 KB for the request rate", "worker", weight{private: 24, descriptors: 20}, longKeys},
	{"60 workers that attach, keep what they got, and leave", "",
		weight{private: 24, shared: memory >> 20, descriptors: 40}, keepers},
	{"500 connections to the workers' socket that say nothing", "",
		weight{private: 24, descriptors: 140}, silentWorkers},
}

func TestNoAttackTakesMoreThanIsStated(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			s := newTarget(t)
			if a.role != "" {
				s.attach(a.role)
			}
			took := s.weigh(func() { a.run(s) })
			t.Logf("| %s | %d MiB | %d MiB | %d | %.2f s |", a.name, took.private, took.shared, took.descriptors,
				took.cpu.Seconds())
			if took.private > a.most.private || a.most.shared > 0 && took.shared > a.most.shared ||
				took.descriptors > a.most.descriptors {
				t.Errorf("it took %+v, and %+v is stated", took, a.most)
			}
			s.reached()
		})
	}
}

// forgedInitials sends what looks like the first packet of a connection (RFC 9000 section
// 17.2.2) and is none.
func forgedInitials(s *target) {
	addr, err := net.ResolveUDPAddr("udp", s.Secure)
	harness.Check(s.t, err)
	for i := range 64 {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 1, byte(i+1))}, addr)
		harness.Check(s.t, err)
		for range 10_000 / 64 {
			packet := make([]byte, 1200)
			_, _ = rand.Read(packet)
			copy(packet, []byte{0xc3, 0, 0, 0, 1, 8}) // Initial, version 1, an id of 8 bytes
			copy(packet[14:], []byte{8})
			copy(packet[23:], []byte{0, 0x44, 0x90}) // no token, the length
			_, err := conn.Write(packet)
			harness.Check(s.t, err)
			time.Sleep(20 * time.Microsecond) // or the kernel drops them
		}
		_ = conn.Close()
	}
}

// connect opens so many connections of one address and says the same on each, while f runs.
func connect(s *target, addr string, n int, text []byte, f func()) {
	var list []net.Conn
	for range n {
		conn, err := net.Dial("tcp", addr)
		harness.Check(s.t, err)
		list = append(list, conn)
		_, _ = conn.Write(text)
	}
	f()
	for _, conn := range list {
		_ = conn.Close()
	}
}

// settle gives the server time to do what it can with what was sent: what is measured is
// the most that it holds.
func settle() { time.Sleep(2 * time.Second) }

func halfRequests(s *target) {
	connect(s, s.Plain, 1000, []byte("POST / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 30<<10)), settle)
}

func halfHandshakes(s *target) { connect(s, s.Secure, 1000, []byte{22, 3, 1, 2, 0}, settle) }

func plainHTTP2(s *target) (http.RoundTripper, string) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	s.t.Cleanup(transport.CloseIdleConnections)
	return transport, "http://" + s.Plain
}

func overHTTP3(s *target) (http.RoundTripper, string) {
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	s.t.Cleanup(func() { _ = transport.Close() })
	return transport, "https://" + s.Secure
}

// endless is a body without an end.
type endless struct{ ctx context.Context }

func (e endless) Read(b []byte) (int, error) { return len(b), e.ctx.Err() }

// unreadUploads sends as much of each upload as the server takes.
func unreadUploads(s *target, over func(*target) (http.RoundTripper, string), connections, uploads int) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range connections {
		transport, url := over(s)
		for range uploads {
			all.Go(func() {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(endless{ctx}))
				harness.Check(s.t, err)
				if response, err := transport.RoundTrip(request); err == nil {
					_ = response.Body.Close()
				}
			})
		}
	}
	all.Wait()
}

func longKeys(s *target) {
	client := &http.Client{Timeout: harness.Patience}
	for i := range 8000 {
		key := make([]byte, 15<<10)
		copy(key, fmt.Sprint(i))
		request, err := http.NewRequest(http.MethodGet, "http://"+s.Plain, nil)
		harness.Check(s.t, err)
		request.Header.Set(rateField, hex.EncodeToString(key))
		response, err := client.Do(request)
		harness.Check(s.t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// keepers attach one after the other, fill the memory that they get, leave, and keep it.
func keepers(s *target) {
	for range 60 {
		if file := s.keep(); file != nil {
			defer file.Close()
		}
	}
}

// keep attaches, leaves, and returns the memory for responses; nil: refused.
func (s *target) keep() *os.File {
	a, err := handworker.Attach(s.socket, "default", attach.BellFutex, 4)
	if errors.Is(err, handworker.ErrRefused) {
		return nil
	}
	harness.Check(s.t, err)
	file := a.Response
	a.Response = nil
	a.CloseFiles()
	a.Leave()
	return file
}

func silentWorkers(s *target) {
	var list []net.Conn
	for range 500 {
		conn, err := net.Dial("unixpacket", s.socket)
		if err != nil {
			break // the backlog of the socket is full
		}
		list = append(list, conn)
	}
	settle()
	for _, conn := range list {
		_ = conn.Close()
	}
}
