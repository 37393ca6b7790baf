package role

import "golang.org/x/sys/unix"

// AnyCore lets the kernel choose.
const AnyCore = -1

// pin makes the calling thread, and the processes that it starts, run on a core. It
// returns a function that undoes this.
//
// Preconditions: the goroutine is locked to its thread.
func pin(core int) (undo func()) {
	var before, only unix.CPUSet
	if core == AnyCore || unix.SchedGetaffinity(0, &before) != nil {
		return func() {}
	}
	only.Set(core)
	if unix.SchedSetaffinity(0, &only) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }
}
