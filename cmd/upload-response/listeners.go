package main

import (
	"fmt"
	"net"
	"os"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
)

// listenerSettings says where clients connect, and how.
type listenerSettings struct {
	addresses    []listen.Address
	fallback     string      // address without --listen
	platformPort string      // the variable PORT, as hosting platforms set it
	platformHost string      // where to listen on that port without --listen; empty: on all addresses
	mode         os.FileMode // of Unix sockets
	http3        bool
	limits       server.Limits
	certificates certificateSettings
}

// localAddress is where the server listens by default: no other machine can connect.
const localAddress = "127.0.0.1:8080"

// newListenerSettings returns the defaults. Without --listen, the variable PORT says where to
// listen: on that port of the host, or of all addresses if the host is "".
func newListenerSettings(getenv func(string) string, host string) listenerSettings {
	return listenerSettings{
		fallback: localAddress, platformPort: getenv("PORT"), platformHost: host,
		mode: 0o600, http3: true, limits: server.DefaultLimits(),
		certificates: certificateSettings{acme: newACMESettings()},
	}
}

func (l *listenerSettings) listenFlag() cli.Option {
	return cli.Option{
		Name: "listen", Arg: "ADDRESS",
		Help:    "address for HTTP: HOST:PORT, https://HOST:PORT, unix:PATH, fd:NAME; repeat",
		Default: l.fallback, Parse: address(&l.addresses, l.platformPort), Split: cli.Words,
	}
}

func (l *listenerSettings) securityFlags() cli.Group {
	http3 := []cli.Option{
		{Name: "http3", Help: "serve HTTP/3 on the UDP ports of https://", Default: "true",
			Parse: cli.Toggle(&l.http3)},
		{
			Name: "alt-svc", Arg: "VALUE",
			Help:    "HTTP/3 port that responses announce, or an Alt-Svc value, auto, or off",
			Default: "auto", Parse: altSvc(&l.limits.AltSvc),
		},
	}
	return cli.Group{Heading: "TLS and HTTP/3",
		Options: append(l.certificates.fileFlags(), append(http3, l.certificates.acme.flags()...)...)}
}

// complete fills in where to listen when no flag says it.
func (l *listenerSettings) complete() error {
	if len(l.addresses) == 0 {
		l.addresses = listen.SystemdSockets(os.Getenv)
	}
	if len(l.addresses) > 0 {
		return nil
	}
	fallback := l.fallback
	if l.platformPort != "" {
		fallback = net.JoinHostPort(l.platformHost, l.platformPort)
	}
	a, err := listen.ParseAddress(fallback)
	if err != nil {
		return fmt.Errorf("PORT %q: want a port from 0 to 65535, or give --listen", l.platformPort)
	}
	l.addresses = []listen.Address{a}
	return nil
}

// check compares the certificates with the addresses that need them.
func (l *listenerSettings) check() error { return l.certificates.check(l.securePort() >= 0) }

// securePort returns the TCP port of the first https:// address, or -1 if there is none.
func (l *listenerSettings) securePort() int {
	for _, a := range l.addresses {
		if a.Secure {
			return a.Port()
		}
	}
	return -1
}
