package worker

import (
	"bytes"
	"fmt"
	"os"
	ossignal "os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"github.com/wavey-ai/upload-response/proto"
)

// stacksSignal is the signal on which a process that runs Serve prints its stacks: a
// real-time one, since programs and libraries use SIGUSR1 and SIGUSR2 for ends of their own.
const stacksSignal = syscall.Signal(40)

// printer prints the stacks of this process while a Serve runs. There is one, as a process
// has one handler for a signal.
var printer stackPrinter

type stackPrinter struct {
	mu      sync.Mutex
	users   int // Serves that run
	signals chan os.Signal
	pools   map[*handlerPool]struct{} // of the links that are served
}

// acquire installs the handler, and returns its signal; 0 if the program ignores that.
// Release: release, unless it is 0.
func (p *stackPrinter) acquire() syscall.Signal {
	if ossignal.Ignored(stacksSignal) {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users++; p.users == 1 {
		p.signals = make(chan os.Signal, 1)
		ossignal.Notify(p.signals, stacksSignal)
		go p.printAll(p.signals)
	}
	return stacksSignal
}

func (p *stackPrinter) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users == 0 {
		ossignal.Stop(p.signals)
		close(p.signals)
	}
}

func (p *stackPrinter) printAll(signals <-chan os.Signal) {
	for range signals {
		_, _ = os.Stderr.Write(formatStacks(allStacks(), p.serving()))
	}
}

// add has the requests of a link printed. Release: remove.
func (p *stackPrinter) add(pool *handlerPool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pools == nil {
		p.pools = map[*handlerPool]struct{}{}
	}
	p.pools[pool] = struct{}{}
}

func (p *stackPrinter) remove(pool *handlerPool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pools, pool)
}

// serving returns what each goroutine that runs a handler serves, by its number.
func (p *stackPrinter) serving() map[uint64]*proto.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[uint64]*proto.Request{}
	for pool := range p.pools {
		pool.serving(all)
	}
	return all
}

// maxTrace is how many bytes of stacks are looked at: those of thousands of goroutines.
const maxTrace = 4 << 20

// allStacks returns the stacks of all goroutines as the runtime prints them: paragraphs
// with an empty line between them.
func allStacks() []byte {
	for size := 256 << 10; ; size *= 4 {
		trace := make([]byte, size)
		if n := runtime.Stack(trace, true); n < size || size >= maxTrace {
			return trace[:n]
		}
	}
}

const (
	maxStacks = 64 << 10 // bytes that are printed at once
	maxStack  = 8 << 10  // bytes of one stack
)

// formatStacks returns the stacks to print: those of goroutines that serve a request first,
// under a line with its method and target, then those of goroutines that these have started.
func formatStacks(trace []byte, serving map[uint64]*proto.Request) []byte {
	stacks := bytes.Split(bytes.TrimSpace(trace), []byte("\n\n"))
	var requests, started, rest [][]byte
	for _, stack := range stacks {
		switch request := serving[goroutineOf(stack, "goroutine ")]; {
		case request != nil:
			requests = append(requests, underHead(request, "", stack))
		default:
			creator := serving[goroutineOf(creationOf(stack), " in goroutine ")]
			if creator == nil {
				rest = append(rest, stack)
				continue
			}
			started = append(started, underHead(creator, "started by the handler of ", stack))
		}
	}
	b := fmt.Appendf(nil, "stacks of worker process %d (requests: %d, goroutines: %d)\n", os.Getpid(),
		len(requests), len(stacks))
	return appendStacks(b, append(append(requests, started...), rest...))
}

// appendStacks appends stacks up to the limit, and how many are left.
func appendStacks(b []byte, stacks [][]byte) []byte {
	for i, stack := range stacks {
		stack = stack[:min(len(stack), maxStack)]
		if len(b)+len(stack) > maxStacks {
			return fmt.Appendf(b, "%d more goroutines\n", len(stacks)-i)
		}
		b = append(append(b, stack...), "\n\n"...)
	}
	return b
}

func underHead(request *proto.Request, what string, stack []byte) []byte {
	return fmt.Appendf(nil, "%s%s %s\n%s", what, request.Method, request.Path, stack)
}

// creationOf returns the last lines of a stack, which say where the goroutine was started.
func creationOf(stack []byte) []byte {
	return stack[max(0, bytes.LastIndex(stack, []byte("\ncreated by "))):]
}

// goroutineOf returns the number after the first occurrence of a text, or 0.
func goroutineOf(stack []byte, before string) uint64 {
	_, after, _ := bytes.Cut(stack, []byte(before))
	digits := 0
	for digits < len(after) && after[digits] >= '0' && after[digits] <= '9' {
		digits++
	}
	n, _ := strconv.ParseUint(string(after[:digits]), 10, 64) // 0 if there are none
	return n
}

// goroutineNumber returns the number that the calling goroutine has in stacks. It takes a
// microsecond: it is called once for a goroutine, not for a request.
func goroutineNumber() uint64 {
	var head [64]byte
	return goroutineOf(head[:runtime.Stack(head[:], false)], "goroutine ")
}
