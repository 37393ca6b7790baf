// Package bench is what the benchmarks of upload-response share: options, and
// measurement in turns. The benchmarks are packages below it: the shared memory alone
// (ring), whole exchanges between real processes (exchange), and the cost of idle streams
// (idle). Every figure stands beside a limit, measured in the same rounds: a copy of
// memory, raw TCP, the same handler in the server's own process under the same library, a
// wake-up between two processes.
//
// All that takes part is a process of its own. Those of the benchmark are this program
// again, in a role (package role); the server is the program upload-response. Candidates
// are measured in turns (rounds.go), so that whatever else happens on the machine affects
// all of them.
//
// A benchmark that ends with an error also returns what it had measured by then.
//
// Package load makes the load, package report holds and shows the figures, package usage
// reads what processes use, and packages peers and python start servers and workers that
// are not written in Go.
package bench
