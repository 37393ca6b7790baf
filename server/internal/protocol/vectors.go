package protocol

import "github.com/wavey-ai/upload-response/server/internal/http1"

// How much is sent at once. The worker gets the slots back together: more would make it
// wait (docs/design/downloads.md).
const (
	MaxPieces     = 64
	MaxPieceBytes = 2 << 20
)

// VectorWriter sends several pieces of a body at once.
type VectorWriter = http1.VectorWriter

// Length returns how many bytes there are in pieces.
func Length(pieces [][]byte) int { return http1.Length(pieces) }
