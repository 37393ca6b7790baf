package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Function is one that was entered.
type Function struct {
	File string // relative to the module's root
	Name string
	Line int
}

// traced are the folders whose functions are noted.
var traced = []string{"server", "shm", "proto"}

// TraceGet returns the functions that one small GET enters in the server, in their order.
// It builds the server with a call at the start of each function, by an overlay of the go
// command, so that the code itself stays as it is.
func TraceGet(root string) ([]Function, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "structure")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o := overlay{root: root, dir: dir, Replace: map[string]string{}}
	for _, folder := range traced {
		if err := o.instrument(folder); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(o.put("tests/structure/entered/entered.go", []byte(enteredSource)),
		o.put("tests/structure/get/main.go", []byte(getSource))); err != nil {
		return nil, err
	}
	out, err := o.run()
	if err != nil {
		return nil, err
	}
	var way []Function
	for field := range strings.FieldsSeq(string(out)) {
		var id int
		if _, err := fmt.Sscan(field, &id); err != nil {
			return nil, err
		}
		way = append(way, o.functions[id])
	}
	return way, nil
}

// overlay is what the go command builds in place of the files that there are.
type overlay struct {
	root, dir string
	functions []Function
	Replace   map[string]string
}

// put adds a file, which need not exist.
func (o *overlay) put(name string, content []byte) error {
	replacement := filepath.Join(o.dir, fmt.Sprintf("%d.go", len(o.Replace)))
	o.Replace[filepath.Join(o.root, name)] = replacement
	return os.WriteFile(replacement, content, 0o600)
}

// instrument adds the files of a folder, and those below it.
func (o *overlay) instrument(folder string) error {
	return filepath.WalkDir(filepath.Join(o.root, folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasSuffix(path, "_unsafe.go") {
			return err
		}
		name, err := filepath.Rel(o.root, path)
		if err != nil {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content, err := o.addCalls(filepath.ToSlash(name), source)
		if err != nil || content == nil {
			return err
		}
		return o.put(name, content)
	})
}

// addCalls returns the source with a call in each function; nil: there is none.
func (o *overlay) addCalls(name string, source []byte) ([]byte, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	done := files.Position(file.Name.End()).Offset
	fmt.Fprintf(&out, "%s; import entered_ %q", source[:done], module+"/tests/structure/entered")
	calls := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil || f.Name.Name == "init" {
			continue
		}
		at := files.Position(f.Body.Lbrace).Offset + 1
		out.Write(source[done:at])
		fmt.Fprintf(&out, " entered_.Note(%d);", len(o.functions))
		o.functions = append(o.functions, Function{name, functionName(f), files.Position(f.Pos()).Line})
		done, calls = at, calls+1
	}
	out.Write(source[done:])
	if calls == 0 {
		return nil, nil
	}
	return out.Bytes(), nil
}

// functionName returns the name of a function, with the type of its receiver.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch g := t.(type) {
	case *ast.IndexExpr:
		t = g.X
	case *ast.IndexListExpr:
		t = g.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// run builds and runs the program that makes the GET, and returns what it prints.
func (o *overlay) run() ([]byte, error) {
	config, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	path, program := filepath.Join(o.dir, "overlay.json"), filepath.Join(o.dir, "get")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-overlay", path, "-o", program, "./tests/structure/get")
	build.Dir = o.root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	get := exec.Command(program)
	get.Stderr = os.Stderr
	return get.Output()
}

// enteredSource is the package that the functions call.
const enteredSource = `// Package entered notes which functions are entered.
package entered

import "sync/atomic"

var (
	On    atomic.Bool
	count atomic.Int64
	ids   [1 << 16]int32
)

// Note notes a function.
func Note(id int32) {
	if On.Load() {
		if n := count.Add(1); n <= int64(len(ids)) {
			ids[n-1] = id
		}
	}
}

// Take returns what was noted, and forgets it.
func Take() []int32 {
	list := append([]int32(nil), ids[:min(count.Load(), int64(len(ids)))]...)
	count.Store(0)
	return list
}
`

// getSource is a program that serves small GETs over one connection with a worker in a
// process of its own, and prints the functions of the shortest of them: a deadline that was
// looked at just then is not part of it.
const getSource = `package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/structure/entered"
	"github.com/wavey-ai/upload-response/worker"
)

func main() {
	if len(os.Args) > 1 {
		_ = worker.Serve(context.Background(), os.Args[1],
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
		return
	}
	dir, err := os.MkdirTemp("", "structure")
	check(err)
	defer os.RemoveAll(dir)
	router, err := server.NewRouter(server.DefaultConfig())
	check(err)
	workers, err := server.ListenWorkers(filepath.Join(dir, "socket"), false)
	check(err)
	go func() { check(router.ServeWorkers(workers)) }()
	program, err := os.Executable()
	check(err)
	child := exec.Command(program, filepath.Join(dir, "socket"))
	child.Stderr = os.Stderr
	check(child.Start())
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	s := server.NewServer(router, nil)
	go func() { check(s.Serve(listener)) }()

	var shortest []int32
	for i := range 200 {
		get(listener.Addr().String())
		time.Sleep(2 * time.Millisecond) // the rest of the work of the last request
		entered.On.Store(i > 20)
		get(listener.Addr().String())
		time.Sleep(2 * time.Millisecond)
		entered.On.Store(false)
		if way := entered.Take(); len(way) > 0 && (shortest == nil || len(way) < len(shortest)) {
			shortest = way
		}
	}
	for _, id := range shortest {
		fmt.Println(id)
	}
}

func get(address string) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/")
		check(err)
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		check(err)
		if response.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			check(fmt.Errorf("no worker: %s", response.Status))
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`
