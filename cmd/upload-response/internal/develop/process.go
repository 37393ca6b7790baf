package develop

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one process of the application.
type process struct {
	command *exec.Cmd
	output  *tail         // what it writes to standard error
	before  int64         // how many workers had attached before it started
	ended   chan struct{} // closed when it has ended
	how     string        // the process ended; valid once ended is closed

	mu  sync.Mutex
	pid int // 0: it has ended; the kernel does not reuse the number before it is reaped
}

// run starts the process, and waits for its end. It has a thread to itself, since the kernel
// ends the process together with the thread that started it (Pdeathsig).
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	err := p.command.Start()
	if err == nil {
		p.pid = p.command.Process.Pid
	}
	started <- err
	if err != nil {
		return
	}
	for errors.Is(unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	p.mu.Lock()
	_ = unix.Kill(-p.pid, unix.SIGKILL) // what remains of its group
	p.pid = 0
	p.mu.Unlock()
	_ = p.command.Wait() // the state has the error, too
	p.how = p.command.ProcessState.String()
	close(p.ended)
}

// stop ends the process and its group, if it has not ended: by SIGTERM, and by SIGKILL if that
// takes long.
func (p *process) stop() {
	for _, signal := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL} {
		p.signal(signal)
		select {
		case <-p.ended:
			return
		case <-time.After(stopTime):
		}
	}
}

func (p *process) signal(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = unix.Kill(-p.pid, signal)
	}
}
