package admin

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// FormatAge returns a duration as people read it: 350ms, 4.2s, 3m10s, 5h20m, 12d3h.
func FormatAge(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", max(d, 0).Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// FormatBytes returns a number of bytes as people read it: 512 B, 1.5 KiB, 20 MiB.
func FormatBytes(n uint64) string {
	units, value := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}, float64(n)
	i := 0
	for ; value >= 1000 && i < len(units)-1; i++ {
		value /= 1024
	}
	if i == 0 || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, units[i])
	}
	return fmt.Sprintf("%.1f %s", value, units[i])
}

// Printable returns text without what moves the cursor of a terminal, or does worse: clients
// choose their targets, and workers what they print. Lines stay lines.
func Printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || unicode.IsPrint(c) {
			return c
		}
		return '\uFFFD'
	}, text)
}
