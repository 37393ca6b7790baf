package bench

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pythonApp is the handler in Python.
//
//go:embed python/bench_app.py
var pythonApp []byte

// appName is the name of its file, and module.
const appName = "bench_app"

// python is how workers in Python are started.
type python struct {
	interpreter string
	environment []string
	dir         string // of the application
}

// openPython finds the SDK: the interpreter's own, or else that of the repository,
// whose library is then built.
func (o *Options) openPython(dir string) (*python, error) {
	interpreter, err := exec.LookPath(o.Python)
	if err != nil {
		return nil, err
	}
	p := &python{interpreter: interpreter, dir: dir, environment: []string{"PYTHONPATH=" + dir}}
	if err := writeApp(dir); err != nil {
		return nil, err
	}
	missing := p.try("import upload_response")
	if missing == nil {
		return p, nil
	}
	if err := p.borrow(dir); err != nil {
		return nil, fmt.Errorf("%w, and %w", missing, err)
	}
	return p, p.try("import upload_response")
}

// writeApp writes the application into a folder.
func writeApp(dir string) error {
	return os.WriteFile(filepath.Join(dir, appName+".py"), pythonApp, 0o600)
}

// borrow takes the SDK of the repository.
func (p *python) borrow(dir string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	cc, err := compiler()
	if err != nil {
		return err
	}
	library := filepath.Join(dir, "libupload_response.so")
	c := filepath.Join(root, "sdk/c")
	err = compile(cc, "-std=gnu11", "-O2", "-fPIC", "-shared", "-I", filepath.Join(c, "include"), "-o", library, filepath.Join(c, "src/upload_response.c"))
	p.environment = []string{
		"PYTHONPATH=" + dir + ":" + filepath.Join(root, "sdk/python/src"), "UPLOAD_RESPONSE_LIBRARY=" + library,
	}
	return err
}

// try runs a line of Python.
func (p *python) try(line string) error {
	command := exec.Command(p.interpreter, "-c", line)
	command.Env = append(environ(), p.environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		last := strings.TrimSpace(string(out))
		return fmt.Errorf("%s: %s", p.interpreter, last[strings.LastIndexByte(last, '\n')+1:])
	}
	return nil
}

// startWorker starts a worker. Release: stop.
func (p *python) startWorker(name, socket string) (*process, error) {
	argv := []string{p.interpreter, filepath.Join(p.dir, appName+".py"), name}
	if name == WorkerWSGI || name == WorkerASGI {
		argv = []string{p.interpreter, "-m", "upload_response", name, appName + ":" + name}
	}
	return start(name, argv, append(p.environment, "UPLOAD_RESPONSE_SOCKET="+socket, "UPLOAD_RESPONSE_POOL="+name)...)
}
