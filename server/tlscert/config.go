package tlscert

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// NewConfig returns the configuration of a server with a certificate, for every version of
// HTTP. Unless clientCA is empty, clients need a certificate that one of those in this file
// has signed.
func NewConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), clientCA string) (*tls.Config, error) {
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
