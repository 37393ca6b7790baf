package server

import "net/http"

// pieceWriter sends several pieces of a response's body at once, and does not use them
// after it has returned. It calls progress whenever the client has taken some of them.
type pieceWriter interface {
	writePieces(pieces [][]byte, progress func()) error
}

// How much is sent at once. The worker gets the slots back together: more would make it
// wait (docs/design/downloads.md).
const (
	mostPieces     = 64
	mostPieceBytes = 2 << 20
)

// pieceWriterOf returns how the response to a request takes pieces; nil: one by one.
func pieceWriterOf(w http.ResponseWriter, r *http.Request) pieceWriter {
	if plain, ok := w.(*plainWriter); ok {
		return plain
	}
	c := screenedOf(r)
	if r.ProtoMajor != 1 || c == nil || c.held.socket == nil {
		return nil
	}
	return &heldPieces{w, &c.held}
}

// heldPieces hands pieces to net/http.
type heldPieces struct {
	writer http.ResponseWriter
	held   *heldWrites
}

func (w *heldPieces) writePieces(pieces [][]byte, progress func()) error {
	w.held.hold()
	for _, p := range pieces {
		if _, err := w.writer.Write(p); err != nil {
			_ = w.held.release(progress)
			return err
		}
	}
	return w.held.release(progress)
}

// length returns how many bytes there are in pieces.
func length(pieces [][]byte) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}
