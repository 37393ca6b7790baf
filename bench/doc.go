// Package bench measures upload-response: the memory alone (ring), whole exchanges
// between real processes (http), and what idle streams cost (memory). Every figure
// stands beside its limits, measured in the same rounds: a copy of memory, raw TCP,
// the same handler in the server's own process under the same library, a wake-up
// between two processes.
//
// The processes are this program again, in roles (role.go), and the server is its
// command `serve`. Candidates are measured in turns (rounds.go), so that what else
// happens on the machine meets all of them.
//
// A benchmark that ends with an error returns what it had measured by then, too.
//
// What makes the load is in the package load, what holds and shows the figures in
// the package report.
package bench
