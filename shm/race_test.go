//go:build race

package shm

// raceSlowdown divides the number of rounds of long tests under the race
// detector, which makes an atomic operation many times as slow.
const raceSlowdown = 10
