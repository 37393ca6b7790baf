package role

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

// Timeout is how long a process may take to be ready, or to end.
const Timeout = 20 * time.Second

// Process takes part in a benchmark. It is killed when this process ends, however that
// happens.
type Process struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	errors  *tail
	mu      sync.Mutex
	stopped bool
	group   bool // it leads a process group
}

// starter starts processes from one thread, which lives as long as this process does: a
// process gets the signal when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG).
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

// Start starts a program. Release: Stop.
func Start(name string, argv []string, environment ...string) (*Process, error) {
	return startOn(AnyCore, name, argv, nil, environment...)
}

// startOn is Start on a core, and passes files on, as descriptors 3 and up.
func startOn(core int, name string, argv []string, files []*os.File, environment ...string) (*Process, error) {
	p := newProcess(name, argv, environment)
	p.cmd.ExtraFiles = files
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p, p.start(core)
}

// StartGroup is Start for a program that starts others: they are killed with it. If this
// process is killed, the program has to notice that its standard input ends, and end them.
func StartGroup(name string, argv []string, environment ...string) (*Process, error) {
	p := newProcess(name, argv, environment)
	p.group = true
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p, p.start(AnyCore)
}

func newProcess(name string, argv, environment []string) *Process {
	p := &Process{name: name, cmd: exec.Command(argv[0], argv[1:]...), errors: &tail{}}
	p.cmd.Env = append(Environ(), environment...)
	p.cmd.Stderr = p.errors
	return p
}

func (p *Process) start(core int) error {
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

// Environ returns our environment without the variables that would override the command
// line of a server or worker. The one that names the C library stays.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "UPLOAD_RESPONSE_") &&
			!strings.HasPrefix(variable, "UPLOAD_RESPONSE_LIBRARY=")
	})
}

// PID returns the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end, and kills it if it does not.
func (p *Process) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(Timeout, p.kill)
	defer timer.Stop()
	_, _ = p.cmd.Process.Wait()
	p.kill() // the rest of its group
	_, _ = io.Copy(io.Discard, p.out)
	_ = p.cmd.Wait()
}

func (p *Process) kill() {
	if p.group {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	}
	_ = p.cmd.Process.Kill()
}

// Receive reads a line of JSON.
func (p *Process) Receive(v any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return p.failure(err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%s printed %q: %w", p.name, line, err)
	}
	return nil
}

// Ask sends a line of JSON and reads the answer.
func (p *Process) Ask(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return p.failure(err)
	}
	return p.Receive(answer)
}

// ReadLine reads a line, without its end.
func (p *Process) ReadLine() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", p.failure(err)
	}
	return strings.TrimSpace(line), nil
}

// failure adds what the process printed last to an error.
func (p *Process) failure(err error) error {
	return fmt.Errorf("%s: %w: %s", p.name, err, p.errors)
}

// tail keeps what a process wrote last to its standard error, and passes the lines on as
// they come.
type tail struct {
	mu       sync.Mutex
	text     []byte
	partial  string
	follower func(line string) // nil: none
}

// tailBytes is how much it keeps.
const tailBytes = 4 << 10

// follow calls f with every line, including those that have come already.
func (t *tail) follow(f func(line string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follower = f
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
	if t.follower != nil {
		t.pass(string(p))
	}
	return len(p), nil
}

// pass passes whole lines on.
func (t *tail) pass(text string) {
	t.partial += text
	for {
		line, rest, whole := strings.Cut(t.partial, "\n")
		if !whole {
			return
		}
		t.partial = rest
		t.follower(line)
	}
}

// String returns what it keeps.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// CloseAll closes files.
func CloseAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
