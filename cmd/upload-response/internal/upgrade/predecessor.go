package upgrade

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// variable tells a new process what it inherits: a manifest in JSON.
const variable = "UPLOAD_RESPONSE_INHERITED"

// manifest is what a new process inherits.
type manifest struct {
	From  int      `json:"from"`  // the process that has started it
	Names []string `json:"names"` // of the descriptors from firstSocket on
}

// Descriptors of a new process.
const (
	goesTo      = 3 // the pipe to the old process
	comesFrom   = 4 // the pipe from it
	firstSocket = 5
)

// What the processes write to each other, a line each. A line that begins with failed says why.
const (
	ready   = "ready"
	goOn    = "go"
	serving = "serving"
	failed  = "failed "
)

// Predecessor is the process whose place this one takes. A nil one is none.
type Predecessor struct {
	PID   int
	files map[string][]*os.File
	to    *os.File // nil: nothing more is to be said
	from  *os.File
}

// Inherited returns the process that this one is to replace, or nil. What concerns the old
// process in the environment then concerns this one: the variables of a service manager. It is
// called once, before anything reads the environment.
func Inherited() (*Predecessor, error) {
	text := os.Getenv(variable)
	if text == "" {
		return nil, nil
	}
	_ = os.Unsetenv(variable)
	var m manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	if m.From != os.Getppid() {
		return nil, nil // a descendant of the new process that did not remove the variable
	}
	p := &Predecessor{PID: m.From, files: map[string][]*os.File{}, to: os.NewFile(goesTo, "pipe"),
		from: os.NewFile(comesFrom, "pipe")}
	for i, name := range m.Names {
		p.files[name] = append(p.files[name], os.NewFile(uintptr(firstSocket+i), name))
	}
	for _, name := range []string{"LISTEN_PID", "WATCHDOG_PID"} {
		if os.Getenv(name) == strconv.Itoa(m.From) {
			_ = os.Setenv(name, strconv.Itoa(os.Getpid()))
		}
	}
	return p, nil
}

// Take returns a descriptor that has the name, or nil if there is none or none left. Release:
// Close.
func (p *Predecessor) Take(name string) *os.File {
	if p == nil || len(p.files[name]) == 0 {
		return nil
	}
	file := p.files[name][0]
	p.files[name] = p.files[name][1:]
	return file
}

// Names returns the names of what nobody has taken that begin with a prefix.
func (p *Predecessor) Names(prefix string) (list []string) {
	if p == nil {
		return nil
	}
	for name, files := range p.files {
		if len(files) > 0 && strings.HasPrefix(name, prefix) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Ready says that this process could serve, and waits until the old one has left the UDP
// sockets, or has ended.
func (p *Predecessor) Ready() {
	if p == nil {
		return
	}
	p.say(ready)
	_, _ = bufio.NewReader(p.from).ReadString('\n') // go, or the end of the old process
}

// Serving says that this process serves. What nobody has taken is closed.
func (p *Predecessor) Serving() {
	if p == nil {
		return
	}
	p.say(serving)
	p.close()
}

// Fail says why this process ends before it serves. After Serving it does nothing.
func (p *Predecessor) Fail(why error) {
	if p == nil || p.to == nil {
		return
	}
	p.say(failed + strings.ReplaceAll(why.Error(), "\n", "; "))
	p.close()
}

// say writes a line. If the old process has ended, nobody has to hear it.
func (p *Predecessor) say(line string) { _, _ = p.to.WriteString(line + "\n") }

func (p *Predecessor) close() {
	_, _ = p.to.Close(), p.from.Close()
	p.to = nil
	for _, files := range p.files {
		for _, file := range files {
			_ = file.Close()
		}
	}
	p.files = nil
}
