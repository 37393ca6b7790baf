package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// Duration is a time such as 500ms, 30s, 2m, 12h, 7d or 1y (365 days).
type Duration time.Duration

// longUnits are the units of durations that package time has not.
var longUnits = map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour}

var errDuration = errors.New("want a duration such as 30s, 500ms, 12h or 7d")

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "0" {
		*d = 0
		return nil
	}
	if unit, long := longUnits[s[max(len(s)-1, 0):]]; long {
		n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
		if err != nil || time.Duration(n) > math.MaxInt64/unit {
			return errDuration
		}
		*d = Duration(time.Duration(n) * unit)
		return nil
	}
	parsed, err := time.ParseDuration(s)
	if err != nil || parsed < 0 {
		return errDuration
	}
	*d = Duration(parsed)
	return nil
}

// String returns the duration as it is written in a file.
func (d Duration) String() string {
	for _, unit := range []string{"y", "w", "d"} {
		if long := Duration(longUnits[unit]); d >= long && d%long == 0 && (unit != "w" || d/long > 1) {
			return strconv.FormatInt(int64(d/long), 10) + unit
		}
	}
	return shortTime(time.Duration(d))
}

// shortTime returns a time as package time writes it, without the units that are 0.
func shortTime(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// MarshalText returns what String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Size is a number of bytes, such as 65536, 64KiB, 256MiB or 1GB.
type Size uint64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := cli.ParseSize(string(text))
	if err != nil || n > math.MaxInt64 {
		return errors.New("want a size such as 65536, 64KiB or 256MiB")
	}
	*s = Size(n)
	return nil
}

// String returns the size in the largest unit in which it is whole.
func (s Size) String() string { return cli.FormatSize(uint64(s)) }

// MarshalText returns what String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Memory is a size, or a part of the memory that the server may have: 25% is a quarter of the
// limit of its cgroup, or of the machine's memory if there is no limit.
type Memory struct {
	Size    Size    // 0: it is a part
	Percent float64 // 0: it is a size
}

// UnmarshalText reads a size or a part.
func (m *Memory) UnmarshalText(text []byte) error {
	percent, part := strings.CutSuffix(string(text), "%")
	if !part {
		*m = Memory{}
		return m.Size.UnmarshalText(text)
	}
	n, err := strconv.ParseFloat(percent, 64)
	if err != nil || !(n > 0 && n <= 100) {
		return errors.New("want a size such as 256MiB, or a part such as 25%")
	}
	*m = Memory{Percent: n}
	return nil
}

// Bytes returns the size. A part is rounded down to a whole MiB.
func (m Memory) Bytes() uint64 {
	if m.Percent == 0 {
		return uint64(m.Size)
	}
	const mib = 1 << 20
	return max(uint64(float64(memoryLimit("/"))*m.Percent/100)/mib*mib, mib)
}

// String returns the memory as it is written in a file.
func (m Memory) String() string {
	if m.Percent > 0 {
		return strconv.FormatFloat(m.Percent, 'f', -1, 64) + "%"
	}
	return m.Size.String()
}

// MarshalText returns what String does.
func (m Memory) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Percent is a part such as 10%, or 0.1.
type Percent float64

// UnmarshalText reads a part.
func (p *Percent) UnmarshalText(text []byte) error {
	n, err := parsePercent(string(text))
	if err != nil || n > 1 {
		return errors.New("want a part such as 10%")
	}
	*p = Percent(n)
	return nil
}

func parsePercent(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if err == nil && !(n >= 0 && n < 1e6) {
		err = strconv.ErrRange
	}
	if percent {
		n /= 100
	}
	return n, err
}

func formatPercent(n float64) string { return strconv.FormatFloat(n*100, 'f', -1, 64) + "%" }

// String returns the part in percent.
func (p Percent) String() string { return formatPercent(float64(p)) }

// MarshalText returns what String does.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Processors is a number of processors: 200%, or 2.
type Processors float64

// UnmarshalText reads a number of processors.
func (p *Processors) UnmarshalText(text []byte) error {
	n, err := parsePercent(string(text))
	if err != nil {
		return errors.New("want processors, such as 200% or 0.5")
	}
	*p = Processors(n)
	return nil
}

// String returns the number in percent.
func (p Processors) String() string { return formatPercent(float64(p)) }

// MarshalText returns what String does.
func (p Processors) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Rate is a number of requests a second: 100/s, or 100; or a minute, 30/m, or an hour, 500/h.
type Rate float64

var rateUnits = map[string]float64{"s": 1, "m": 60, "h": 3600}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	number, unit, given := strings.Cut(string(text), "/")
	seconds := 1.0
	if given {
		seconds = rateUnits[unit]
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || seconds == 0 || !(n >= 0 && n <= math.MaxInt32) {
		return errors.New("want a rate such as 100/s or 30/m")
	}
	*r = Rate(n / seconds)
	return nil
}

// String returns the rate as it is written in a file.
func (r Rate) String() string {
	for _, unit := range []string{"s", "m", "h"} {
		if n := float64(r) * rateUnits[unit]; n == 0 || math.Abs(n-math.Round(n)) < 1e-9 && n >= 1 {
			return strconv.FormatFloat(math.Round(n), 'f', -1, 64) + "/" + unit
		}
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// MarshalText returns what String does.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Mode is the permissions of a file, in octal: 0660.
type Mode os.FileMode

// UnmarshalText reads permissions.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0o"), 8, 32)
	if err != nil || n > 0o777 {
		return errors.New("want permissions in octal, such as 0660")
	}
	*m = Mode(n)
	return nil
}

// String returns the permissions in octal.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText returns what String does.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// QueueWait is when processes are added: queue-wait > 50ms.
type QueueWait Duration

// UnmarshalText reads the condition.
func (q *QueueWait) UnmarshalText(text []byte) error {
	what, limit, found := strings.Cut(string(text), ">")
	var d Duration
	if !found || strings.TrimSpace(what) != "queue-wait" || d.UnmarshalText([]byte(strings.TrimSpace(limit))) != nil ||
		d == 0 {
		return errors.New("want a condition such as queue-wait > 50ms")
	}
	*q = QueueWait(d)
	return nil
}

// String returns the condition as it is written in a file.
func (q QueueWait) String() string { return "queue-wait > " + Duration(q).String() }

// MarshalText returns what String does.
func (q QueueWait) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// Path is the path of a file or folder. A relative one begins at the folder of the
// configuration file.
type Path string
