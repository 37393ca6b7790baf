package admin

import (
	"testing"
	"time"
)

func TestDurationsAndSizesAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 350 * time.Millisecond: "350ms", 4200 * time.Millisecond: "4.2s",
		190 * time.Second:            "3m10s",
		5*time.Hour + 20*time.Minute: "5h20m", 12*24*time.Hour + 3*time.Hour: "12d3h",
	} {
		if got := FormatAge(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1536: "1.5 KiB", 20 << 20: "20.0 MiB", 512 << 20: "512 MiB",
		1 << 60: "1024 PiB",
	} {
		if got := FormatBytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestNothingThatMovesACursorIsPrinted(t *testing.T) {
	if got := Printable("/a\x1b[2J\r\nb\tü\x00"); got != "/a\uFFFD[2J\uFFFD\nb\tü\uFFFD" {
		t.Errorf("%q", got)
	}
}
