package tracing

import (
	"strconv"
	"time"
)

// variables reads those of OpenTelemetry that are numbers. What makes no sense is as if it were not there.
type variables struct{ getenv func(string) string }

// number returns a variable that is at least 1, or else another number.
func (v variables) number(name string, other int) int {
	if n, err := strconv.Atoi(v.getenv(name)); err == nil && n > 0 {
		return n
	}
	return other
}

// time returns a variable in milliseconds.
func (v variables) time(name string, other time.Duration) time.Duration {
	return time.Duration(v.number(name, int(other.Milliseconds()))) * time.Millisecond
}

// requests returns for how many requests a number of spans is.
func (v variables) requests(name string, other int) int {
	return max(1, v.number(name, other*spansOfRequest)/spansOfRequest)
}
