package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// The protocols of targets. Raw is bytes over TCP.
const (
	Raw = "raw"
	H1  = "h1"  // HTTP/1.1 in the clear
	TLS = "tls" // HTTP/1.1 over TLS
	H2C = "h2c" // HTTP/2 in the clear
	H2  = "h2"  // HTTP/2 over TLS
	H3  = "h3"  // HTTP/3
)

// Target is where requests go.
type Target struct {
	Protocol string `json:"protocol"`
	Address  string `json:"address"` // HOST:PORT, or unix:PATH
	Prefix   string `json:"prefix"`  // of every path
}

// timeout is how long a server may make no progress.
const timeout = 30 * time.Second

// errAnswer is returned for an answer that is not the expected one.
var errAnswer = errors.New("unexpected answer")

// network splits the address as net.Dial wants it.
func (t *Target) network() (network, address string) {
	if path, ok := strings.CutPrefix(t.Address, "unix:"); ok {
		return "unix", path
	}
	return "tcp", t.Address
}

// dial connects, and makes a TLS handshake if the protocol needs one.
func (t *Target) dial() (net.Conn, error) {
	network, address := t.network()
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil || t.Protocol != TLS {
		return conn, err
	}
	secure := tls.Client(conn, tlsConfig("http/1.1"))
	if err := secure.Handshake(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return secure, nil
}

// tlsConfig accepts any certificate, since those of a benchmark are made for it.
func tlsConfig(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols,
		ClientSessionCache: tls.NewLRUClientSessionCache(0)}
}

// plain reports whether this package speaks the protocol itself, over a connection. For
// the others it uses libraries.
func (t *Target) plain() bool {
	return t.Protocol == Raw || t.Protocol == H1 || t.Protocol == TLS
}

// request returns the head of an HTTP/1.1 request.
func (t *Target) request(method, path string, length int64) []byte {
	head := fmt.Appendf(nil, "%s %s%s HTTP/1.1\r\nHost: bench\r\n", method, t.Prefix, path)
	if length >= 0 {
		head = fmt.Appendf(head, "Content-Length: %d\r\n", length)
	}
	return append(head, "\r\n"...)
}

// url returns the URL of a path, for the libraries.
func (t *Target) url(path string) string {
	scheme := "https"
	if t.Protocol == H2C {
		scheme = "http"
	}
	_, address := t.network()
	return scheme + "://" + address + t.Prefix + path
}
