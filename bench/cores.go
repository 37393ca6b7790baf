package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// anyCore lets the kernel choose.
const anyCore = -1

// pin has the calling thread, and the processes that it starts, run on a core. It
// returns what ends that.
//
// Preconditions: the goroutine is locked to its thread.
func pin(core int) (undo func()) {
	var before, only unix.CPUSet
	if core == anyCore || unix.SchedGetaffinity(0, &before) != nil {
		return func() {}
	}
	only.Set(core)
	if unix.SchedSetaffinity(0, &only) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }
}

// placing is which cores two processes run on.
type placing struct {
	name          string
	first, second int
}

// placings are one core for both, and a core for each if there are two.
func placings() []placing {
	list := []placing{{"on one core", 0, 0}}
	if runtime.NumCPU() > 1 {
		list = append(list, placing{"on two cores", 0, 1})
	}
	return list
}
