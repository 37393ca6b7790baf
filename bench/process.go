package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a process may take to be ready, or to end.
const patience = 20 * time.Second

// process is one that takes part in a benchmark. It is killed with ours, however
// that ends.
type process struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	errors  *tail
	mu      sync.Mutex
	stopped bool
	group   bool // it leads a process group
}

// starter starts processes from one thread, which lives as long as we do: a process
// is told of the death of the thread that started it (prctl(2), PR_SET_PDEATHSIG).
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// start starts a program. Release: stop.
func start(name string, argv []string, environment ...string) (*process, error) {
	return startOn(anyCore, name, argv, nil, environment...)
}

// startOn is start on a core, that passes files on, as descriptors 3 and up.
func startOn(core int, name string, argv []string, files []*os.File, environment ...string) (*process, error) {
	p := newProcess(name, argv, environment)
	p.cmd.ExtraFiles = files
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p, p.start(core)
}

// startGroup is start of a program that starts others: they are killed with it. When we
// are killed it is for the program to notice, by its standard input, and to end them.
func startGroup(name string, argv []string, environment ...string) (*process, error) {
	p := newProcess(name, argv, environment)
	p.group = true
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p, p.start(anyCore)
}

func newProcess(name string, argv, environment []string) *process {
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), errors: &tail{}}
	p.cmd.Env = append(environ(), environment...)
	p.cmd.Stderr = p.errors
	return p
}

func (p *process) start(core int) error {
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.in, p.out = in, bufio.NewReader(out)
	started := make(chan error)
	starter() <- func() {
		defer pin(core)()
		started <- p.cmd.Start()
	}
	if err := <-started; err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// environ returns our environment without what would set up a server or a worker
// otherwise than its command line says; the place of the C library is left.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "UPLOAD_RESPONSE_") && !strings.HasPrefix(variable, "UPLOAD_RESPONSE_LIBRARY=")
	})
}

// pid returns the process's id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process, with patience, and then without.
func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(patience, p.kill)
	defer timer.Stop()
	_, _ = p.cmd.Process.Wait()
	p.kill() // what is left of its group
	_, _ = io.Copy(io.Discard, p.out)
	_ = p.cmd.Wait()
}

func (p *process) kill() {
	if p.group {
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	}
	_ = p.cmd.Process.Kill()
}

// receive reads a line of JSON.
func (p *process) receive(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.failure(err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%s printed %q: %w", p.name, line, err)
	}
	return nil
}

// ask sends a line of JSON and reads the answer.
func (p *process) ask(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return p.failure(err)
	}
	return p.receive(answer)
}

// failure says what the process said last.
func (p *process) failure(err error) error {
	return fmt.Errorf("%s: %w: %s", p.name, err, p.errors)
}

// tail keeps what a process wrote last to its standard error, and lets somebody look
// at the lines as they come.
type tail struct {
	mu      sync.Mutex
	text    []byte
	partial string
	looker  func(line string) // nil: nobody looks
}

// tailBytes is how much is kept.
const tailBytes = 4 << 10

// look has f called with every line, those that have come already included.
func (t *tail) look(f func(line string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looker = f
	t.pass(string(t.text))
}

// Write adds text.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	if t.looker != nil {
		t.pass(string(p))
	}
	return len(p), nil
}

// pass hands the whole lines on.
func (t *tail) pass(text string) {
	t.partial += text
	for {
		line, rest, whole := strings.Cut(t.partial, "\n")
		if !whole {
			return
		}
		t.partial = rest
		t.looker(line)
	}
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
