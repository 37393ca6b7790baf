package server

import (
	"time"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
)

// Never is the StuckAfter with which a worker is never stuck.
const Never time.Duration = -1

// StuckWorker is a worker that makes no progress with requests, see [Config].
type StuckWorker = dispatch.StuckWorker

// StuckRequest is a request with which a worker makes no progress.
type StuckRequest = dispatch.StuckRequest
