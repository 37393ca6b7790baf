//go:build !race

package shm

const raceSlowdown = 1
