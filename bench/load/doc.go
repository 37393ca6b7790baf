// Package load is the load generator of the benchmarks: bulk transfers, small
// requests and first bytes, over every version of HTTP, and over bare TCP for
// comparison.
//
// The load is a closed loop: a connection sends its next request when it has the
// answer to the last. The client measures latencies from before it sends until after it
// has received; it leaves none out, and keeps all, so that percentiles are exact. A closed
// loop cannot see the queue that an open one would build up.
package load
