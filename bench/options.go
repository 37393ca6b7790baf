package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/wavey-ai/upload-response/bench/report"
)

// Options are those that the benchmarks share. Start from DefaultOptions; a zero field is
// not a default.
type Options struct {
	Program  string // name and version of what is measured, for the report
	Rounds   int
	Size     int64         // bytes of a bulk transfer
	Period   time.Duration // of a measurement of small requests, or of round trips
	Progress io.Writer     // nil: none
}

// DefaultOptions returns those of a whole run.
func DefaultOptions() Options {
	return Options{Rounds: 7, Size: 1 << 30, Period: time.Second}
}

// Hurry lowers what takes long, for a first look.
func (o *Options) Hurry() {
	o.Rounds, o.Size, o.Period = 3, 128<<20, 300*time.Millisecond
}

// NewReport begins a report.
func (o *Options) NewReport() *report.Report {
	return &report.Report{
		Program: o.Program, Time: time.Now().UTC().Truncate(time.Second), Machine: report.ThisMachine(),
	}
}

// Plural returns "1 noun" or "n nouns".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ByteCount shows a number of bytes in the largest unit that divides it.
func ByteCount(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB"}
	i := 0
	for ; i < len(units)-1 && n >= 1<<10 && n%(1<<10) == 0; i++ {
		n >>= 10
	}
	return fmt.Sprintf("%d %s", n, units[i])
}
