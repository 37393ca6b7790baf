// Package admin is what operators see of a running server, and what they can do: an HTTP API
// on a listener of its own with a web page, a stream of events, and the client that the
// commands use.
//
// The listener is a Unix socket of mode 0600 by default. Over TCP everything is read-only, and
// without a token nothing else is ever possible (guard.go).
package admin
