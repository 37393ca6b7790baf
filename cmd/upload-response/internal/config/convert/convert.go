// Package convert makes configuration files of those of other servers, as far as they mean
// something here.
package convert

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// Result is a configuration, and what of the other one it does not have.
type Result struct {
	File *config.File
	Left []string // a line for each setting that was not converted: why, or what to do
}

// Text returns the configuration as a file. What was not converted stands at the top.
func (r *Result) Text(from string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Converted from %s.\n", from)
	for _, left := range r.Left {
		fmt.Fprintf(&b, "# not converted: %s\n", left)
	}
	err := r.File.Write(&b)
	return b.Bytes(), err
}

func newResult() *Result {
	f := config.Default()
	f.Listen, f.Apps = nil, map[string]config.App{}
	return &Result{File: f}
}

// leave notes what is not converted.
func (r *Result) leave(format string, values ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, values...)), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "..."
	}
	r.Left = append(r.Left, text)
}

// route returns a route with the defaults.
func route() config.Route {
	var r config.Route
	config.SetDefaults(&r)
	return r
}

// app returns an app with the defaults.
func app() config.App {
	var a config.App
	config.SetDefaults(&a)
	return a
}

// appName makes the name of an app of a text.
func appName(text string) string {
	name := strings.Map(func(c rune) rune {
		if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", c) {
			return c
		}
		return '-'
	}, text)
	name = strings.Trim(name, "-")
	if name == "" {
		return "app"
	}
	return name[:min(len(name), 64)]
}

// address returns an address to listen on: a port, HOST:PORT, *:PORT, or unix:PATH.
func address(text string, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	switch {
	case strings.HasPrefix(text, "unix:"):
		return text
	case strings.HasPrefix(text, "*:"):
		return scheme + text[1:]
	case strings.Trim(text, "0123456789") == "":
		return scheme + ":" + text
	}
	return scheme + text
}
