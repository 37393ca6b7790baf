package ring

import "runtime"

// corePair is the cores of two processes.
type corePair struct {
	name          string
	first, second int
}

// corePairs are one core for both, and a core for each if there are two.
func corePairs() []corePair {
	list := []corePair{{"on one core", 0, 0}}
	if runtime.NumCPU() > 1 {
		list = append(list, corePair{"on two cores", 0, 1})
	}
	return list
}
