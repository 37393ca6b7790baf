package protocol

import (
	"net/http"

	"github.com/wavey-ai/upload-response/server/internal/http1"
)

// How much is sent at once. The worker gets the slots back together: more would make it
// wait (docs/design/downloads.md).
const (
	MaxPieces     = 64
	MaxPieceBytes = 2 << 20
)

// VectorWriter sends several pieces of a body at once.
type VectorWriter = http1.VectorWriter

// VectorWriterOf returns how the response to a request takes several pieces at once; nil:
// it takes one after the other.
func VectorWriterOf(w http.ResponseWriter, r *http.Request) VectorWriter {
	return http1.VectorWriterOf(w, r)
}

// Length returns how many bytes there are in pieces.
func Length(pieces [][]byte) int { return http1.Length(pieces) }
