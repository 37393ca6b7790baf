// Package python starts the workers of the benchmarks that are written in Python.
package python

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/bench/role"
)

// app is the handler in Python.
//
//go:embed bench_app.py
var app []byte

// appName is the name of its module.
const appName = "bench_app"

// The workers in Python, by name.
const (
	Slot = "py-slot" // the SDK's own handler
	Loop = "py-loop" // the same in an event loop
	WSGI = "wsgi"
	ASGI = "asgi"
)

// Workers are the names of all workers in Python.
var Workers = []string{Slot, Loop, WSGI, ASGI}

// Python is how to start workers in Python.
type Python struct {
	interpreter string
	environment []string
	dir         string // of the application
}

// Open finds the SDK: the one that the interpreter has, or else that of the repository,
// for which it builds the C library. It writes what it makes into a folder.
func Open(interpreter, dir string) (*Python, error) {
	path, err := exec.LookPath(interpreter)
	if err != nil {
		return nil, err
	}
	p := &Python{interpreter: path, dir: dir, environment: []string{"PYTHONPATH=" + dir}}
	if err := WriteApp(dir); err != nil {
		return nil, err
	}
	missing := p.try("import upload_response")
	if missing == nil {
		return p, nil
	}
	if err := p.useRepository(dir); err != nil {
		return nil, fmt.Errorf("%w, and %w", missing, err)
	}
	return p, p.try("import upload_response")
}

// WriteApp writes the application into a folder.
func WriteApp(dir string) error {
	return os.WriteFile(filepath.Join(dir, appName+".py"), app, 0o600)
}

// useRepository takes the SDK from the repository.
func (p *Python) useRepository(dir string) error {
	root, err := role.Repository()
	if err != nil {
		return err
	}
	library := filepath.Join(dir, "libupload_response.so")
	c := filepath.Join(root, "sdk/c")
	p.environment = []string{
		"PYTHONPATH=" + dir + ":" + filepath.Join(root, "sdk/python/src"), "UPLOAD_RESPONSE_LIBRARY=" + library,
	}
	return role.Compile("-std=gnu11", "-O2", "-fPIC", "-shared", "-I", filepath.Join(c, "include"), "-o", library,
		filepath.Join(c, "src/upload_response.c"))
}

// try runs a line of Python.
func (p *Python) try(line string) error {
	command := exec.Command(p.interpreter, "-c", line)
	command.Env = append(role.Environ(), p.environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		last := strings.TrimSpace(string(out))
		return fmt.Errorf("%s: %s", p.interpreter, last[strings.LastIndexByte(last, '\n')+1:])
	}
	return nil
}

// StartWorker starts a worker, which serves the pool of its name. Release: Stop.
func (p *Python) StartWorker(name, socket string) (*role.Process, error) {
	argv := []string{p.interpreter, filepath.Join(p.dir, appName+".py"), name}
	if name == WSGI || name == ASGI {
		argv = []string{p.interpreter, "-m", "upload_response", name, appName + ":" + name}
	}
	environment := append(slices.Clone(p.environment), "UPLOAD_RESPONSE_SOCKET="+socket, "UPLOAD_RESPONSE_POOL="+name)
	return role.Start(name, argv, environment...)
}
