package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"github.com/mholt/acmez/v3"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/server/tlscert"
)

// certificateSettings says which certificate the server shows, and demands of clients.
type certificateSettings struct {
	cert, key  string             // files of --tls-cert and --tls-key
	files      []certificateFiles // all files, once the settings are complete
	clientCA   string
	selfSigned bool
	acme       acmeSettings
}

// certificateFiles are those of one certificate.
type certificateFiles struct{ cert, key string }

func (c *certificateSettings) fileFlags() []cli.Option {
	return []cli.Option{
		{
			Name: "tls-cert", Arg: "FILE", Help: "certificate chain for https://, in PEM; read again when it changes",
			Parse: cli.Text(&c.cert),
		},
		{Name: "tls-key", Arg: "FILE", Help: "private key of the certificate", Parse: cli.Text(&c.key)},
		{
			Name: "tls-self-signed", Help: "make a certificate for this machine, for development",
			Parse: cli.Toggle(&c.selfSigned),
		},
		{
			Name: "tls-client-ca", Arg: "FILE",
			Help:  "accept only clients with a certificate that one of these has signed",
			Parse: cli.Text(&c.clientCA),
		},
	}
}

// complete makes the files of the flags those of all, in place of others.
func (c *certificateSettings) complete() {
	if c.cert != "" {
		c.files = []certificateFiles{{c.cert, c.key}}
	}
}

// check compares the settings with each other, and with whether an address needs a
// certificate.
func (c *certificateSettings) check(secure bool) error {
	sources := 0
	for _, given := range []bool{len(c.files) > 0, c.selfSigned, len(c.acme.domains) > 0} {
		if given {
			sources++
		}
	}
	switch {
	case (c.cert == "") != (c.key == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case sources > 1:
		return errors.New("--tls-cert, --tls-self-signed and --acme-domain exclude each other: give only one of them")
	case secure && sources == 0:
		return errors.New("--listen https://... needs a certificate: give --tls-cert and --tls-key, --acme-domain, " +
			"or --tls-self-signed for development")
	case !secure && (sources > 0 || c.clientCA != ""):
		return fmt.Errorf("%s: a certificate needs an address that uses it: give --listen https://HOST:PORT",
			c.source())
	case c.clientCA != "" && len(c.acme.domains) > 0:
		return errors.New("--tls-client-ca and --acme-domain exclude each other: " +
			"the authority connects as a client, and has no certificate")
	}
	return nil
}

// source returns the flag that says where a certificate comes from, or whose clients need one.
func (c *certificateSettings) source() string {
	switch {
	case len(c.files) > 0:
		return "--tls-cert"
	case c.selfSigned:
		return "--tls-self-signed"
	case len(c.acme.domains) > 0:
		return "--acme-domain"
	}
	return "--tls-client-ca"
}

// certificates is what the server shows clients that connect over TLS.
type certificates struct {
	files []*tlscert.Files  // none: not in files
	acme  *acmeCertificates // nil: not from an authority
	tls   *tls.Config

	name    string // of the one that is in files, or was made
	current func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// loadCertificates reads the certificate, or makes one. It returns nil if none is needed.
func (l *listenerSettings) loadCertificates(log *slog.Logger) (_ *certificates, err error) {
	s := &l.certificates
	c := &certificates{}
	var get func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	switch {
	case s.selfSigned:
		made, err := tlscert.SelfSigned()
		if err != nil {
			return nil, err
		}
		get = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return made, nil }
		log.Info("certificate made", "sha256", tlscert.Fingerprint(made), "names", made.Leaf.DNSNames, "until",
			made.Leaf.NotAfter)
	case len(s.files) > 0:
		if err = c.load(s.files, log); err != nil {
			return nil, err
		}
		get = c.choose
	case len(s.acme.domains) > 0:
		c.acme = s.acme.newCertificates(l.securePort(), log)
		get = c.acme.magic.GetCertificate
	default:
		return nil, nil
	}
	c.name, c.current = cmp.Or(s.cert, "self-signed"), get
	if c.tls, err = tlscert.NewConfig(get, s.clientCA); err != nil {
		return nil, fmt.Errorf("--tls-client-ca %s: %w", s.clientCA, err)
	}
	if c.acme != nil {
		c.tls.NextProtos = append(c.tls.NextProtos, acmez.ACMETLS1Protocol)
	}
	return c, nil
}

// load reads certificates from files.
func (c *certificates) load(all []certificateFiles, log *slog.Logger) error {
	for _, names := range all {
		files, err := tlscert.Load(names.cert, names.key, log)
		if err != nil {
			return fmt.Errorf("--tls-cert %s, --tls-key %s: %w", names.cert, names.key, err)
		}
		c.files = append(c.files, files)
	}
	return nil
}

// choose returns the first certificate that a client can use: by the name that it asks for, and
// by the kind of the key. If there is none it returns the first of all.
func (c *certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(c.files) > 1 {
		for _, files := range c.files {
			if pair, err := files.Get(hello); err == nil && hello.SupportsCertificate(pair) == nil {
				return pair, nil
			}
		}
	}
	return c.files[0].Get(hello)
}

// manage gets certificates from the authority, if there is one, and renews them until ctx
// ends.
func (c *certificates) manage(ctx context.Context) error {
	if c == nil || c.acme == nil {
		return nil
	}
	context.AfterFunc(ctx, c.acme.cache.Stop)
	return c.acme.magic.ManageAsync(ctx, c.acme.domains)
}

func (c *certificates) tlsConfig() *tls.Config {
	if c == nil {
		return nil
	}
	return c.tls
}

// reload reads the certificate files again, if there are any.
func (c *certificates) reload() (err error) {
	if c == nil || len(c.files) == 0 {
		return errNoFiles
	}
	for _, files := range c.files {
		err = errors.Join(err, files.Reload())
	}
	return err
}

// errNoFiles is returned when there is nothing to read again.
var errNoFiles = fmt.Errorf("%w: there is no configuration file, and no certificate file, to read again",
	admin.ErrNotPossible)
