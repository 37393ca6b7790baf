package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/mholt/acmez/v3"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/tlscert"
)

// doorSettings says where clients come in and what they are shown there.
type doorSettings struct {
	listen    []listen.Address
	otherwise string
	mode      os.FileMode // of Unix sockets
	http3     bool
	limits    server.Limits

	cert, key, clientCA string
	selfSigned          bool
	acme                acmeSettings
}

func newDoorSettings(listen string) doorSettings {
	return doorSettings{otherwise: listen, mode: 0o600, http3: true, limits: server.DefaultLimits(), acme: newACMESettings()}
}

func (d *doorSettings) listenOption() option {
	return option{name: "listen", arg: "ADDRESS", help: "where HTTP comes in: HOST:PORT, https://HOST:PORT, unix:PATH, fd:N; repeat", value: d.otherwise, parse: address(&d.listen), split: words}
}

func (d *doorSettings) security() optionGroup {
	files := []option{
		{name: "tls-cert", arg: "FILE", help: "certificate for https://, with those that signed it, in PEM; read again when it changes", parse: text(&d.cert)},
		{name: "tls-key", arg: "FILE", help: "its private key", parse: text(&d.key)},
		{name: "tls-self-signed", help: "make a certificate for this machine, for development", parse: toggle(&d.selfSigned)},
		{name: "tls-client-ca", arg: "FILE", help: "demand certificates of clients that one of these has signed", parse: text(&d.clientCA)},
		{name: "http3", help: "serve HTTP/3 on the UDP ports of https://", value: "true", parse: toggle(&d.http3)},
		{name: "alt-svc", arg: "VALUE", help: "port of HTTP/3 that responses name, a whole Alt-Svc value, auto: their own, or off", value: "auto", parse: altSvc(&d.limits.AltSvc)},
	}
	return optionGroup{"Security", append(files, d.acme.options()...)}
}

// complete fills in where to listen if nobody says.
func (d *doorSettings) complete() {
	if len(d.listen) == 0 {
		d.listen = listen.SystemdSockets(os.Getenv)
	}
	if len(d.listen) == 0 {
		a, err := listen.ParseAddress(d.otherwise)
		if err != nil {
			panic(err) // ours
		}
		d.listen = []listen.Address{a}
	}
}

// check compares what is said of certificates with what needs them.
func (d *doorSettings) check() error {
	secure := slices.ContainsFunc(d.listen, func(a listen.Address) bool { return a.Secure })
	sources := 0
	for _, given := range []bool{d.cert != "", d.selfSigned, len(d.acme.domains) > 0} {
		if given {
			sources++
		}
	}
	switch {
	case (d.cert == "") != (d.key == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case sources > 1:
		return errors.New("--tls-cert, --tls-self-signed and --acme-domain: give one of them")
	case secure && sources == 0:
		return errors.New("--listen https://...: give it a certificate, with --tls-cert and --tls-key, --acme-domain, or --tls-self-signed for development")
	case !secure && (sources > 0 || d.clientCA != ""):
		return errors.New("a certificate is for --listen https://HOST:PORT, and there is none")
	case d.clientCA != "" && len(d.acme.domains) > 0:
		return errors.New("--tls-client-ca and --acme-domain: the authority, which is a client, has no certificate")
	}
	return nil
}

// identity is what the server shows those who come in through a secure door.
type identity struct {
	files *tlscert.Files // nil: not in files
	acme  *acmeIdentity  // nil: not from an authority
	tls   *tls.Config
}

// securePort returns the TCP port of the first secure address.
func (d *doorSettings) securePort() int {
	for _, a := range d.listen {
		if a.Secure {
			return a.Port()
		}
	}
	return 0
}

// identify reads the certificate, or makes one. It returns nil if none is needed.
func (d *doorSettings) identify(log *slog.Logger) (_ *identity, err error) {
	id := &identity{}
	var get func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	switch {
	case d.selfSigned:
		made, err := tlscert.SelfSigned()
		if err != nil {
			return nil, err
		}
		get = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return made, nil }
		log.Info("certificate made", "sha256", tlscert.Fingerprint(made), "names", made.Leaf.DNSNames, "until", made.Leaf.NotAfter)
	case d.cert != "":
		if id.files, err = tlscert.Load(d.cert, d.key, log); err != nil {
			return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", d.cert, d.key, err)
		}
		get = id.files.Get
	case len(d.acme.domains) > 0:
		id.acme = d.acme.identify(d.securePort(), log)
		get = id.acme.magic.GetCertificate
	default:
		return nil, nil
	}
	if id.tls, err = tlscert.NewConfig(get, d.clientCA); err != nil {
		return nil, fmt.Errorf("--tls-client-ca %s: %w", d.clientCA, err)
	}
	if id.acme != nil {
		id.tls.NextProtos = append(id.tls.NextProtos, acmez.ACMETLS1Protocol)
	}
	return id, nil
}

// keep gets what the identity needs from others, and renews it, until ctx ends.
func (id *identity) keep(ctx context.Context) error {
	if id == nil || id.acme == nil {
		return nil
	}
	context.AfterFunc(ctx, id.acme.cache.Stop)
	return id.acme.magic.ManageAsync(ctx, id.acme.domains)
}

func (id *identity) config() *tls.Config {
	if id == nil {
		return nil
	}
	return id.tls
}

// reloads reports whether the certificate can change.
func (id *identity) reloads() bool { return id != nil && id.files != nil }

func (id *identity) reload() { id.files.Reload() }
