// Package load is the load generator of the benchmarks: bulk transfers, small
// requests and first bytes, over every version of HTTP, and over bare TCP to
// compare with.
//
// The load is a closed loop: a connection sends its next request when it has the
// answer to the last. Latencies are what the client sees from before it sends to
// after it has received; none is left out, and all are kept, so that percentiles are
// exact. A closed loop cannot see the queue that an open one would build up.
package load
