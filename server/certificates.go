package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrCertificate is returned when a certificate, its key, or those that sign the
// certificates of clients cannot be used.
var ErrCertificate = errors.New("certificate")

// CertificateFiles serves the certificate in two PEM files, and the new one when
// they have changed. Files that cannot be used are logged, and the certificate
// stays what it was.
type CertificateFiles struct {
	cert, key string
	log       *slog.Logger
	current   atomic.Pointer[tls.Certificate]
	looked    atomic.Int64 // when the files were looked at, Unix nanoseconds

	mu    sync.Mutex
	stamp [2]fileStamp // of the files, when they were read
}

// fileStamp tells a file from what it was before.
type fileStamp struct {
	changed time.Time
	size    int64
}

// lookEvery is how often a handshake has the files looked at.
const lookEvery = time.Second

// LoadCertificate reads the files. It returns [ErrCertificate] when they cannot be
// used.
func LoadCertificate(cert, key string, log *slog.Logger) (*CertificateFiles, error) {
	f := &CertificateFiles{cert: cert, key: key, log: log}
	return f, f.read()
}

// read takes over what is in the files.
func (f *CertificateFiles) read() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looked.Store(time.Now().UnixNano())
	f.stamp = f.stamps()
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	f.current.Store(&pair)
	return nil
}

// stamps returns the present ones. The stamp of a file that is not there is zero.
func (f *CertificateFiles) stamps() (stamps [2]fileStamp) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			stamps[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// Reload reads the files now.
func (f *CertificateFiles) Reload() {
	if err := f.read(); err != nil {
		f.log.Error("the certificate stays what it was", "error", err)
		return
	}
	f.log.Info("certificate read", "file", f.cert, "until", f.current.Load().Leaf.NotAfter)
}

// look reads the files if they have changed since they were read.
func (f *CertificateFiles) look() {
	before, now := f.looked.Load(), time.Now().UnixNano()
	if now-before < int64(lookEvery) || !f.looked.CompareAndSwap(before, now) {
		return
	}
	f.mu.Lock()
	changed := f.stamps() != f.stamp
	f.mu.Unlock()
	if changed {
		f.Reload()
	}
}

// Get is for [tls.Config.GetCertificate].
func (f *CertificateFiles) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.look()
	return f.current.Load(), nil
}

// selfSignedTime is how long a certificate of our own is good for.
const selfSignedTime = 90 * 24 * time.Hour

// SelfSigned makes a certificate, in memory, for this machine: localhost, its
// addresses, and the host name. It is for development.
func SelfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "upload-response, self-signed"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(selfSignedTime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		BasicConstraintsValid: true, IsCA: true, // so that a client can be told to trust it
	}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// Fingerprint returns the SHA-256 of a certificate, as other programs print it.
func Fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	text := fmt.Sprintf("%X", sum[:1])
	for _, b := range sum[1:] {
		text += fmt.Sprintf(":%02X", b)
	}
	return text
}

// NewTLSConfig returns the configuration of a server with a certificate, for every
// version of HTTP. Clients need a certificate of their own that one of those in the
// file clientCA has signed, unless that is empty.
func NewTLSConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), clientCA string) (*tls.Config, error) {
	config := &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if clientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s: no certificate in PEM", ErrCertificate, clientCA)
	}
	return config, nil
}
