// Package worker is the Go SDK: it attaches to an upload-response server and
// serves requests out of shared memory.
//
// Most programs need one call:
//
//	err := worker.Serve(ctx, "/run/upload-response.sock", handler)
//
// which serves any [net/http.Handler], attaches again when the server comes back,
// and finishes what is running when ctx ends. docs/go.md says in what it is not as
// under net/http.
//
// Below it is the slot-level API. A [Link] is one attached connection. [Link.Next]
// returns a [Request], whose lane is read with Tail and Release (slot 1 is the
// headers frame, then come body slots, then the end) and answered with Respond,
// Reserve and Commit, Write, Flush and End. Several requests are in progress at
// once on one link; each is used by one goroutine that reads and one that writes.
//
// # Lifetimes
//
// The bytes of a request slot are a view of shared memory, valid until Release of
// the slot or the end of the request. The bytes that Reserve returns are valid
// until Commit. No view of a request may be used after End or Abort: its lane
// then serves another one. Its methods may be called; they return ErrEnded.
//
// # Errors
//
// ErrCancelled wraps the reason for which nobody wants a response any more: the
// client is gone, a deadline has passed, the server ended. The worker should
// stop, and still call End or Abort.
package worker
