package protocol

import "github.com/wavey-ai/upload-response/server/internal/http1"

// Refusal is the answer to a message of HTTP/1 that never becomes a request.
type Refusal = http1.Refusal
