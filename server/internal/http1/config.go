// Package http1 serves HTTP/1.1: simple requests at once, without net/http, and all others
// with it, behind a guard that lets through only messages whose end nobody can mistake.
package http1

import (
	"log/slog"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// Config is what all connections of a server have in common.
type Config struct {
	HeaderTime time.Duration // for the first request of a connection to come
	IdleTime   time.Duration // for the next one
	Times      *conn.ClientTimes
	Log        *slog.Logger

	// Refused counts and logs a message that never becomes a request. It returns the answer.
	Refused func(*Refusal) RefusalAnswer
}
