// Package accesslog writes the lines of an access log in the formats that other programs read.
//
//	handler, err := accesslog.NewHandler(os.Stdout, accesslog.Combined)
//	config.AccessLog, config.AccessLogDetails = slog.New(handler), true
//
// The server says what has happened in attributes of a record; this package knows the attributes, see [Fields], and
// nothing else of the server.
package accesslog
