// Package progress keeps the counters and clocks of one exchange: how many bytes have
// moved, what is being waited for and since when, and how the client's pending reads and
// writes can be ended.
//
// The goroutines that move the bytes write an [Exchange]; the one deadline loop of package
// dispatch reads it. A timer for each wait would cost more than a small request.
package progress
