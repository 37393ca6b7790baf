//go:build attacks

package attacks_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// weight is what a process holds.
type weight struct {
	private, shared int // MiB resident; shared by all processes of the machine
	descriptors     int
	cpu             time.Duration // used
}

func (s *target) weight() (w weight) {
	w.private, w.shared = s.mebibytes(fmt.Sprintf("/proc/%d/status", s.PID()), "RssAnon"),
		s.mebibytes("/proc/meminfo", "Shmem")
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	harness.Check(s.t, err)
	w.descriptors = len(list)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	harness.Check(s.t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system int
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	harness.Check(s.t, err)
	w.cpu = time.Duration(user+system) * (time.Second / 100) // USER_HZ
	return w
}

// mebibytes returns a number of a file of proc(5).
func (s *target) mebibytes(file, name string) (kilobytes int) {
	text, err := os.ReadFile(file)
	harness.Check(s.t, err)
	_, rest, _ := strings.Cut(string(text), name+":")
	_, err = fmt.Sscanf(rest, "%d kB", &kilobytes)
	harness.Check(s.t, err)
	return kilobytes >> 10
}

// weigh carries out an attack and returns what it added to what the server holds, at the
// most.
func (s *target) weigh(attack func()) weight {
	before := s.weight()
	over, most := make(chan struct{}), weight{}
	go func() {
		defer close(over)
		attack()
	}()
	for running := true; running; {
		select {
		case <-over:
			running = false
		case <-time.After(10 * time.Millisecond):
		}
		now := s.weight()
		most.private = max(most.private, now.private-before.private)
		most.shared = max(most.shared, now.shared-before.shared)
		most.descriptors = max(most.descriptors, now.descriptors-before.descriptors)
		most.cpu = now.cpu - before.cpu
	}
	return most
}
