// Package shm is the memory that a server and its workers share: segments,
// lanes of slots, the buffer pool, mailboxes and bells. It knows bytes and
// slots and nothing of HTTP.
//
// # The one rule
//
// Every word in shared memory has exactly one writing process. The server
// writes the request segment, which workers can map read-only and nothing else
// (the kernel enforces it); each worker writes its own response segment, which
// the server maps read-only. So there is no compare-and-swap between processes
// and no lock that a dead process can hold, and a broken worker can damage
// only its own segment.
//
// # The border is hostile
//
// A number that the peer wrote is loaded once, bounded, and the local copy is
// used. What is out of bounds is a [Violation], the peer's fault, and ends the
// link; it is never repaired. A precondition that the caller broke is a panic.
//
// # Edges
//
// Ownership of memory passes from one process to the other along labelled
// edges: a release store (label ending in 1) that the partner's acquire load
// (the same letter, ending in 2) pairs with. docs/layout.md lists them all; the
// code names them where they happen. Go's sync/atomic operations are
// sequentially consistent, which is stronger than every edge needs and gives
// the full fence that the sleep edges do need.
//
// # Reading order
//
// layout.go (every byte, named), writer.go and reader.go (a lane from both
// ends), pool.go (where slots live), inbox.go and notices.go (what is handed
// over), server_end.go and worker_end.go (who is woken), request_segment.go and
// response_segment.go (where the memory comes from).
package shm
