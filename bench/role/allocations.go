package role

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// AllocationCounter asks a process for how many objects it has allocated: the process
// logs that after SIGUSR1.
type AllocationCounter struct {
	process *Process
	answers chan float64
}

// CountAllocations returns a counter for a process in the role InProcess.
func CountAllocations(p *Process) *AllocationCounter {
	a := newAllocationCounter(p)
	p.errors.follow(a.parse)
	return a
}

func newAllocationCounter(p *Process) *AllocationCounter {
	return &AllocationCounter{process: p, answers: make(chan float64, 1)}
}

// parse takes the answer from a line of the process's log.
func (a *AllocationCounter) parse(line string) {
	var entry struct {
		Msg         string
		Allocations float64
	}
	if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == statsMessage {
		a.answers <- entry.Allocations
	}
}

// Count returns the number so far.
func (a *AllocationCounter) Count() (float64, error) {
	if err := a.process.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return 0, a.process.failure(err)
	}
	select {
	case n := <-a.answers:
		return n, nil
	case <-time.After(Timeout):
		return 0, a.process.failure(fmt.Errorf("no %q in its log within %v", statsMessage, Timeout))
	}
}

// statsMessage is the message of the server's line of counters.
const statsMessage = "stats"

// answerStats makes this process answer an AllocationCounter as the server does.
func answerStats() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	go func() {
		for range signals {
			log.Info(statsMessage, "allocations", server.Allocations())
		}
	}()
}
