package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// acmeSettings says which certificates to get from an authority.
type acmeSettings struct {
	domains   []string
	email     string
	directory string // URL of the authority
	store     string // folder of certificates and keys
}

// newACMESettings returns the defaults.
func newACMESettings() acmeSettings {
	store := "upload-response-acme"
	if dir, err := os.UserCacheDir(); err == nil {
		store = filepath.Join(dir, store)
	}
	return acmeSettings{directory: certmagic.LetsEncryptProductionCA, store: store}
}

func (a *acmeSettings) flags() []cli.Option {
	return []cli.Option{
		{
			Name: "acme-domain", Arg: "NAME", Help: "get a certificate for this host from an authority (ACME); repeat",
			Parse: domain(&a.domains), Split: cli.Words,
		},
		{Name: "acme-email", Arg: "ADDRESS", Help: "where the authority writes when something is wrong",
			Parse: cli.Text(&a.email)},
		{Name: "acme-directory", Arg: "URL", Help: "the authority", Default: a.directory,
			Parse: cli.Text(&a.directory)},
		{Name: "acme-store", Arg: "FOLDER", Help: "where certificates and keys are kept",
			Default: "in the cache of the user",
			Parse:   cli.Text(&a.store)},
	}
}

// validDomain matches names for which an authority can give certificates.
var validDomain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// domain adds the name of a host.
func domain(p *[]string) func(string) error {
	return func(s string) error {
		if !validDomain.MatchString(s) || len(s) > 253 {
			return errors.New("want the name of a host, in lower case, such as www.example.org")
		}
		*p = append(*p, s)
		return nil
	}
}

// acmeCertificates gets certificates from an authority, stores them, and renews them in
// time. A handshake (TLS-ALPN-01) proves to the authority that the hosts are ours.
type acmeCertificates struct {
	domains []string
	magic   *certmagic.Config
	cache   *certmagic.Cache
}

// newCertificates prepares certificates for the hosts that clients reach at a TCP port.
func (a *acmeSettings) newCertificates(port int, log *slog.Logger) *acmeCertificates {
	c := &acmeCertificates{domains: a.domains}
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return c.magic, nil },
		Logger:           zap.NewNop(),
	})
	c.magic = certmagic.New(c.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: a.store}, DefaultServerName: a.domains[0], Logger: zap.NewNop(),
		OnEvent: func(_ context.Context, event string, data map[string]any) error {
			logEvent(log, event, data)
			return nil
		},
	})
	c.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(c.magic, certmagic.ACMEIssuer{
		CA: a.directory, Email: a.email, Agreed: true, DisableHTTPChallenge: true, AltTLSALPNPort: port,
		Logger: zap.NewNop(),
	})}
	return c
}

// logEvent logs what the authority answers.
func logEvent(log *slog.Logger, event string, data map[string]any) {
	switch event {
	case "cert_obtained":
		log.Info("certificate obtained", "host", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		log.Error("no certificate from the authority", "host", data["identifier"], "error", data["error"])
	}
}
