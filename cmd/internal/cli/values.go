package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions of this file return an [Option.Parse]: it stores a value in a variable,
// or returns an error that says which values are possible.

// Text takes any text but an empty one.
func Text(p *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return errors.New("want a value that is not empty")
		}
		*p = s
		return nil
	}
}

// Number takes a whole number from least to most, in units of unit.
func Number[T int | int64 | uint32 | uint64 | time.Duration](p *T, unit T, least, most uint64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a whole number from %d to %d", least, most)
		}
		*p = T(n) * unit
		return nil
	}
}

// Size takes a size from least to most bytes that is a multiple of step.
func Size[T int | int64 | uint64](p *T, step, least, most uint64) func(string) error {
	return func(s string) error {
		n, err := ParseSize(s)
		if err == nil && n >= least && n <= most && n%step == 0 {
			*p = T(n)
			return nil
		}
		want := "want a size such as 65536, 64KiB or 1MiB"
		if step > 1 {
			want = "want a multiple of " + FormatSize(step)
		}
		if most < math.MaxInt64 {
			want += ", from " + FormatSize(least) + " to " + FormatSize(most)
		} else if least > 0 {
			want += ", at least " + FormatSize(least)
		}
		return errors.New(want)
	}
}

// Duration takes a duration of at least least.
func Duration(p *time.Duration, least time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < least {
			return fmt.Errorf("want a duration such as 30s, 500ms or 2m, at least %v", least)
		}
		*p = d
		return nil
	}
}

// Toggle takes true or false, as strconv.ParseBool does.
func Toggle(p *bool) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("want true or false")
		}
		*p = b
		return nil
	}
}

// Choice takes one of the words.
func Choice(p *string, words ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(words, s) {
			*p = s
			return nil
		}
		return errors.New("want " + OneOf(words))
	}
}

// Words splits the value of a variable at commas and white space.
func Words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// Lines splits the value of a variable at the ends of lines.
func Lines(s string) (list []string) {
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}
