package protocol

import "github.com/wavey-ai/upload-response/server/internal/http1"

// Refusal is a message of HTTP/1 that never becomes a request.
type Refusal = http1.Refusal

// RefusalAnswer is what the client is told of a [Refusal].
type RefusalAnswer = http1.RefusalAnswer
