//go:build race

package chaos_test

// raceDetector: its shadow memory grows with all that is ever touched.
const raceDetector = true
