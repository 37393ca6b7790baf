package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the units of a size, in bytes. The first ones are those that
// FormatSize uses.
var sizeUnits = []struct {
	name  string
	bytes uint64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1},
	{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3},
}

// ParseSize returns the bytes that a text like 65536, 64KiB or 64KB stands for.
// As elsewhere, KiB is 1024 and KB is 1000; a K alone is 1024. Case is ignored.
func ParseSize(text string) (uint64, error) {
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	n, err := strconv.ParseUint(text[:digits], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	name := strings.TrimSpace(text[digits:])
	for _, unit := range sizeUnits {
		if !strings.EqualFold(name, unit.name) {
			continue
		}
		if n > math.MaxUint64/unit.bytes {
			return 0, fmt.Errorf("%q is too large", text)
		}
		return n * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q has an unknown unit", text)
}

// FormatSize returns bytes in the largest unit in which they are whole.
func FormatSize(bytes uint64) string {
	for _, unit := range sizeUnits {
		if bytes >= unit.bytes && bytes%unit.bytes == 0 {
			return strconv.FormatUint(bytes/unit.bytes, 10) + unit.name
		}
	}
	return "0"
}
