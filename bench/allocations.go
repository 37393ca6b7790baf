package bench

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/server"
)

// allocated is the metric of objects on the heap of what speaks HTTP, our server or the
// in-process handler; not of the worker.
var allocated = report.Metric{Name: "server allocations", Unit: "1/request", Better: report.Lower, Cost: true}

// allocationCounter asks a process for how many objects it has allocated: it says so in
// its log, after SIGUSR1.
type allocationCounter struct {
	process *process
	answers chan float64
}

func newAllocationCounter() *allocationCounter {
	return &allocationCounter{answers: make(chan float64, 1)}
}

// countIn carries out f, which returns how many requests it made, and returns how many
// objects were allocated for each. There is no such figure, and no error, if the process
// is not one of ours.
func (a *allocationCounter) countIn(f func() (float64, error)) ([]value, error) {
	if a == nil {
		_, err := f()
		return nil, err
	}
	before, err := a.count()
	if err != nil {
		return nil, err
	}
	requests, err := f()
	if err != nil {
		return nil, err
	}
	after, err := a.count()
	return []value{{allocated, (after - before) / requests}}, err
}

// look takes the answer from a line of the process's log.
func (a *allocationCounter) look(line string) {
	var entry struct {
		Msg         string
		Allocations float64
	}
	if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == statsMessage {
		a.answers <- entry.Allocations
	}
}

// count returns how many there have been.
func (a *allocationCounter) count() (float64, error) {
	if err := a.process.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return 0, a.process.failure(err)
	}
	select {
	case n := <-a.answers:
		return n, nil
	case <-time.After(patience):
		return 0, a.process.failure(fmt.Errorf("no %q in its log within %v", statsMessage, patience))
	}
}

// statsMessage is what our server calls the line of its log.
const statsMessage = "stats"

// answerStats makes a process of ours answer an allocationCounter as the server does.
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
