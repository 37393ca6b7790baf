package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/listen"
)

// serverProcess is the process of a running server. The kernel does not give its number to
// another process while the descriptor is open.
type serverProcess struct {
	pid        int
	descriptor int    // a pidfd
	socket     string // where its workers attach
}

// openServer finds the server that listens on a worker socket. Release: close.
func openServer(socket string) (*serverProcess, error) {
	pid, err := listen.ServerProcess(socket)
	if err != nil {
		return nil, err
	}
	if pid == 0 {
		return nil, fmt.Errorf("the server on %s runs in another container: signal it from there", socket)
	}
	descriptor, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &serverProcess{pid, descriptor, socket}
	// The number may have been another process's until the descriptor was there.
	if again, err := listen.ServerProcess(socket); err != nil || again != pid {
		p.close()
		return nil, fmt.Errorf("the server on %s has just ended", socket)
	}
	return p, nil
}

func (p *serverProcess) close() { _ = unix.Close(p.descriptor) }

// signal sends a signal.
func (p *serverProcess) signal(s unix.Signal) error {
	err := unix.PidfdSendSignal(p.descriptor, s, nil, 0)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("process %d belongs to another user: try as that user, or as root", p.pid)
	}
	if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended, which wait tells
		return fmt.Errorf("process %d: %w", p.pid, err)
	}
	return nil
}

// wait waits for the end, and reports whether it came in time.
func (p *serverProcess) wait(timeout time.Duration) (bool, error) {
	for end := time.Now().Add(timeout); ; {
		list := []unix.PollFd{{Fd: int32(p.descriptor), Events: unix.POLLIN}}
		n, err := unix.Poll(list, int(max(time.Until(end), 0).Milliseconds())+1)
		if err == nil || !errors.Is(err, unix.EINTR) {
			return n > 0, err
		}
	}
}

// awaitStopping waits until the server takes no more workers, or has ended: it has seen the
// signal then.
func (p *serverProcess) awaitStopping(timeout time.Duration) error {
	for end := time.Now().Add(timeout); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if pid, _ := listen.ServerProcess(p.socket); pid != p.pid {
			return nil
		}
	}
	return fmt.Errorf("process %d does not react", p.pid)
}

// signalAgain ends a server at once that is to end by a first signal: by a second one, which comes so
// late that it is not taken for the first.
func (p *serverProcess) signalAgain(timeout time.Duration) error {
	if err := p.awaitStopping(timeout); err != nil {
		return err
	}
	if ended, err := p.wait(oneSignal); ended || err != nil {
		return err
	}
	return p.signal(unix.SIGTERM)
}

// isOurProgram reports whether the process runs this program, as its name says.
func (p *serverProcess) isOurProgram() bool {
	name := processName(p.pid)
	return slices.Contains([]string{self, processName(os.Getpid())}, name)
}

// processName returns the name of a process, of which the kernel keeps 15 bytes.
func processName(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
