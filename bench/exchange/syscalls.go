package exchange

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/bench/usage"
)

// The metrics of --syscalls, of the server and its worker.
var (
	systemCalls = report.Metric{Name: "system calls", Unit: "each", Better: report.Lower, Cost: true}
	wakeUps     = report.Metric{Name: "wake-ups", Unit: "each", Better: report.Lower, Cost: true}
)

// events are those that perf counts: all system calls; futexes that wake (the operations 1
// and 129); and writes of 8 bytes, which go to eventfds.
var events = []string{
	"-e", "raw_syscalls:sys_enter",
	"-e", "syscalls:sys_enter_futex", "--filter", "op == 1 || op == 129",
	"-e", "syscalls:sys_enter_write", "--filter", "count == 8",
}

// syscallCounter is a perf that counts the system calls of processes.
type syscallCounter struct {
	command *exec.Cmd
	out     strings.Builder
	control *os.File
	ack     *bufio.Reader
	files   []*os.File // to be closed
}

// startCounter begins to count. Release: stop.
func startCounter(pids []int) (*syscallCounter, error) {
	var list []string
	for _, pid := range usage.Family(pids) {
		list = append(list, strconv.Itoa(pid))
	}
	orders, control, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, ack, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &syscallCounter{control: control, ack: bufio.NewReader(answers), files: []*os.File{control, answers}}
	// Descriptors 3 and 4 are the two pipes; it counts when told.
	args := append([]string{"stat", "-x", ",", "--control", "fd:3,4", "-D", "-1", "-p", strings.Join(list, ",")},
		events...)
	c.command = exec.Command("perf", args...)
	c.command.Stderr = &c.out
	c.command.ExtraFiles = []*os.File{orders, ack}
	err = c.command.Start()
	role.CloseAll(c.command.ExtraFiles)
	if err == nil {
		err = c.tell("enable")
	}
	if err != nil {
		_, _ = c.stop()
		return nil, fmt.Errorf("perf: %w: %s", err, strings.TrimSpace(c.out.String()))
	}
	return c, nil
}

// tell gives perf an order and waits until it is carried out.
func (c *syscallCounter) tell(order string) error {
	if _, err := c.control.WriteString(order + "\n"); err != nil {
		return err
	}
	_, err := c.ack.ReadString('\n')
	return err
}

// stop ends perf, and returns the count of each event.
func (c *syscallCounter) stop() (counts []float64, err error) {
	defer role.CloseAll(c.files)
	if c.command.Process == nil {
		return nil, nil
	}
	err = c.tell("disable")
	_ = c.command.Process.Signal(syscall.SIGINT)
	_ = c.command.Wait() // the signal ends it
	for line := range strings.Lines(c.out.String()) {
		number, _, _ := strings.Cut(line, ",")
		if n, failed := strconv.ParseFloat(number, 64); failed == nil {
			counts = append(counts, n)
		}
	}
	if err == nil && len(counts) != 3 {
		err = fmt.Errorf("perf: %s", strings.TrimSpace(c.out.String()))
	}
	return counts, err
}

// withSyscalls carries out f, which also returns a number of units, and adds what perf
// counts in that time for each unit.
func withSyscalls(e *endpoint, f func() ([]bench.Value, float64, error)) ([]bench.Value, error) {
	perf, err := startCounter(append(append([]int(nil), e.server...), e.worker...))
	if err != nil {
		return nil, err
	}
	list, units, err := f()
	counts, failed := perf.stop()
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	return append(list,
		bench.Value{Metric: systemCalls, Value: counts[0] / units},
		bench.Value{Metric: wakeUps, Value: (counts[1] + counts[2]) / units}), nil
}
