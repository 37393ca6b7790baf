package protocol

import (
	"io"
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

// Length returns how many bytes there are in pieces.
func Length(pieces [][]byte) int { return http1.Length(pieces) }

// FileSender returns the writer to which the kernel can copy a file, or nil. See
// [http1.FastWriter.ReadFrom].
func FileSender(w http.ResponseWriter) io.ReaderFrom {
	if fast, ok := w.(*http1.FastWriter); ok {
		return fast
	}
	return nil
}
