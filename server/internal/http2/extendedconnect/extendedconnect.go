// Package extendedconnect has net/http accept the extended CONNECT of HTTP/2 (RFC
// 8441), by which a browser opens a WebSocket over a connection that it has.
//
// Net/http does so if GODEBUG says http2xconnect=1 when it is initialised, and otherwise
// never: most handlers take over the connection to serve a WebSocket, and HTTP/2 does not
// let them (https://go.dev/issue/71128). The handlers of this module need not. Packages are
// initialised in the order of their import paths as far as their imports allow: this one
// imports only os and comes before net/http. (The Go Programming Language Specification,
// Program initialization.)
package extendedconnect

import "os"

const variable = "GODEBUG"

var before, existed = os.LookupEnv(variable)

func init() {
	setting := "http2xconnect=1"
	if before != "" {
		setting = before + "," + setting
	}
	_ = os.Setenv(variable, setting) // fails for no such name
}

// Done gives the variable its old value back, for the processes that this one starts.
// Preconditions: net/http is initialised, as it is for every package that imports it.
func Done() {
	if existed {
		_ = os.Setenv(variable, before)
		return
	}
	_ = os.Unsetenv(variable)
}
