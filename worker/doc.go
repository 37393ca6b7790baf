// Package worker is the Go SDK: it attaches to an upload-response server and serves
// requests out of shared memory.
//
// Begin with any [net/http.Handler] and one call:
//
//	err := worker.Serve(ctx, "", handler)
//
// [Serve] attaches to the server's worker socket, attaches again when the server comes
// back, and finishes the requests in progress when ctx ends. The empty path stands for the
// socket where a server listens by default. Options such as [WithPool] and [WithLanes] say
// which requests to serve, and how many at once. [AcceptWebSocket] opens a WebSocket.
// docs/go.md is the guide, and says how this differs from net/http.
//
// Below that is the slot-level API, for programs that need the memory itself. [Attach]
// returns a [Link], and [Link.Next] the next [Request]. Its lane of slots is read with
// Tail and Release: slot 1 has the headers, then come slots of the body, then the end.
// Respond, Reserve, Commit, Write, Flush and End write the response, at any time. A link
// has several requests in progress at once. One goroutine reads a request and one writes
// its response; the two may be the same.
//
// # Lifetimes
//
// The bytes of a request slot are a view of shared memory, valid until Release of the slot
// or the end of the request. The bytes that Reserve returns are valid until Commit. After
// End or Abort no view of the request may be used: its lane serves another request by then.
// Its methods may still be called; they return ErrEnded.
//
// # Errors
//
// ErrCancelled arrives with the reason for which nobody wants the response any more: the
// client is gone, a deadline has passed, or the server ended. The worker should stop, and
// still call End or Abort.
package worker
