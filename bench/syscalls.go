package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/wavey-ai/upload-response/bench/report"
)

// The metrics of --syscalls, of the server and its worker.
var (
	systemCalls = report.Metric{Name: "system calls", Unit: "each", Better: report.Lower, Cost: true}
	wakeUps     = report.Metric{Name: "wake-ups", Unit: "each", Better: report.Lower, Cost: true}
)

// events are what perf counts: all system calls; futexes that wake (the operations 1
// and 129); and writes of 8 bytes, which are those to an eventfd.
var events = []string{
	"-e", "raw_syscalls:sys_enter",
	"-e", "syscalls:sys_enter_futex", "--filter", "op == 1 || op == 129",
	"-e", "syscalls:sys_enter_write", "--filter", "count == 8",
}

// counting is a perf that counts the system calls of processes.
type counting struct {
	command *exec.Cmd
	out     strings.Builder
	control *os.File
	ack     *bufio.Reader
	files   []*os.File // to be closed
}

// startCounting begins to count. Release: stop.
func startCounting(pids []int) (*counting, error) {
	var list []string
	for _, pid := range family(pids) {
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
	c := &counting{control: control, ack: bufio.NewReader(answers), files: []*os.File{control, answers}}
	// Descriptors 3 and 4 are the two pipes; it counts when it is told to.
	args := append([]string{"stat", "-x", ",", "--control", "fd:3,4", "-D", "-1", "-p", strings.Join(list, ",")}, events...)
	c.command = exec.Command("perf", args...)
	c.command.Stderr = &c.out
	c.command.ExtraFiles = []*os.File{orders, ack}
	err = c.command.Start()
	closeAll(c.command.ExtraFiles)
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
func (c *counting) tell(order string) error {
	if _, err := c.control.WriteString(order + "\n"); err != nil {
		return err
	}
	_, err := c.ack.ReadString('\n')
	return err
}

// stop ends it, and returns the count of each event.
func (c *counting) stop() (counts []float64, err error) {
	defer closeAll(c.files)
	if c.command.Process == nil {
		return nil, nil
	}
	err = c.tell("disable")
	_ = c.command.Process.Signal(syscall.SIGINT)
	_ = c.command.Wait() // it ends with the signal
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

// counted carries out f, and adds what perf counts meanwhile, for each of the units
// that it is done with.
func counted(c *candidate, f func() ([]value, float64, error)) ([]value, error) {
	perf, err := startCounting(append(append([]int(nil), c.server...), c.worker...))
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
	return append(list, value{systemCalls, counts[0] / units}, value{wakeUps, (counts[1] + counts[2]) / units}), nil
}
