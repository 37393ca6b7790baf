// Package supervise keeps the worker processes of apps running: it starts them, replaces
// those that end, are stuck, or have grown too old, and ends them.
//
// An app has slots, web/0 and web/1, each with at most one process that serves, and those
// that are on their way out:
//
//	            attached                replaced, stuck, stop
//	starting -------------> running --------------------------> stopping
//	   |  ^                    |                                    |
//	   |  | after a pause      | ended                        ended |
//	   v  |                    v                                    v
//	backing off, failed <------+                                 no more
//
// A slot is a goroutine (slot.go), and so is each process (process.go), with a thread to
// itself. They meet in channels that are closed once: ready, leaving and ended of a process,
// removed of a slot. All other state is under the lock of the Supervisor.
//
// The server tells the supervisor what it cannot see: that a process has attached, that one
// is stuck, how many requests wait. Nothing here knows HTTP or shared memory.
package supervise
