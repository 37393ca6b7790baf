package cli

import "testing"

func TestSizesHaveBinaryAndDecimalUnits(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "1": 1, "65536": 65536, "7B": 7, "64KiB": 65536, "64 KiB": 65536, "64kib": 65536,
		"64K": 65536, "64k": 65536,
		"64KB": 64000, "64kB": 64000,
		"1MiB": 1 << 20, "1MB": 1e6, "2GiB": 2 << 30, "2G": 2 << 30, "2GB": 2e9, "100TiB": 100 << 40, "1TB": 1e12,
		"18446744073709551615": 1<<64 - 1, "16777215TiB": 16777215 << 40,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestWhatIsNoSizeIsRefused(t *testing.T) {
	for _, text := range []string{"", " ", "KiB", "-1", "+1", "1.5GiB", "0x10", "1_000", "64Ki", "64KiBs", "1 000",
		"18446744073709551616", "16777216TiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}

func TestFormattedSizeIsParsedToTheSame(t *testing.T) {
	for bytes, want := range map[uint64]string{
		0: "0", 1: "1B", 1000: "1000B", 1 << 10: "1KiB", 1<<10 + 1: "1025B", 64 << 10: "64KiB", 3 << 19: "1536KiB",
		256 << 20: "256MiB", 2 << 30: "2GiB", 1 << 50: "1024TiB",
	} {
		text := FormatSize(bytes)
		if back, err := ParseSize(text); text != want || err != nil || back != bytes {
			t.Errorf("%d: %q, which is %d, %v; want %q", bytes, text, back, err, want)
		}
	}
}
