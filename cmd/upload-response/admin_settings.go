package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
	"github.com/wavey-ai/upload-response/proto/attach"
)

// adminSettings says where the admin listener of a server is.
type adminSettings struct {
	address admin.Address
	token   string
	pprof   bool
}

const adminDefault = "unix:, the path of --socket, and .admin"

func (a *adminSettings) addressOption() cli.Option {
	return cli.Option{Name: "admin", Arg: "ADDRESS", Help: "admin listener: unix:PATH, HOST:PORT, or off",
		Default: adminDefault, Words: []string{"off"}, Parse: func(text string) (err error) {
			a.address, err = admin.ParseAddress(text)
			return err
		}}
}

func (a *adminSettings) tokenOption(help string) cli.Option {
	return cli.Option{Name: "admin-token", Arg: "TOKEN", Help: help + ": file:PATH, or the token itself",
		Parse: func(text string) (err error) {
			a.token, err = readToken(text)
			return err
		}}
}

func (a *adminSettings) flags() cli.Group {
	return cli.Group{Heading: "Admin listener", Options: []cli.Option{
		a.addressOption(), a.tokenOption("let requests over TCP do all if they have a token"),
		{Name: "admin-pprof", Help: "serve profiles of the server under /debug/pprof", Parse: cli.Toggle(&a.pprof)},
	}}
}

// shortestToken keeps tokens from being guessed.
const shortestToken = 16

// readToken returns a token, or that of a file.
func readToken(text string) (string, error) {
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text = strings.TrimSpace(string(b))
	}
	switch {
	case len(text) < shortestToken:
		return "", fmt.Errorf("want at least %d characters", shortestToken)
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", errors.New("want printable ASCII characters, and no space")
	}
	return text, nil
}

// complete fills in the default address.
func (a *adminSettings) complete(given func(option string) bool, workerSocket string) {
	if !given("admin") {
		a.address = admin.DefaultAddress(workerSocket)
	}
}

// adminClient is what a command says about the server that it asks.
type adminClient struct {
	adminSettings
	socket string // of the workers
	json   bool
}

// flags returns the flags of a command that asks a server, with those of its own first.
func (c *adminClient) flags(getenv func(string) string, own ...cli.Option) []cli.Group {
	c.socket = attach.DefaultSocket(getenv)
	groups := []cli.Group{{Heading: "The server", Options: []cli.Option{
		c.addressOption(),
		{Name: "socket", Arg: "PATH", Help: "Unix socket for workers of the server", Default: c.socket,
			Parse: socketPath(&c.socket)},
		c.tokenOption("what the server wants over TCP"),
	}}}
	own = append(own, cli.Option{Name: "json", Help: "print JSON", Parse: cli.Toggle(&c.json)})
	return append([]cli.Group{{Heading: "Output", Options: own}}, groups...)
}

// connect returns a client of the server. Release: Close.
func (c *adminClient) connect(f *cli.FlagSet) (*admin.Client, error) {
	c.complete(f.Given, c.socket)
	if c.address == (admin.Address{}) {
		return nil, f.Usage(errors.New("a server without an admin listener cannot be asked: give --admin ADDRESS"))
	}
	return admin.NewClient(c.address, c.token), nil
}
