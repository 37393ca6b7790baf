// Package develop runs one application while somebody works on it: it finds out how to start
// it, starts it again when a file changes, and shows why it does not start.
package develop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// App is an application to run.
type App struct {
	Name        string   // as the user wrote it
	Command     []string // argv
	Folder      string   // where its files are, and where it is watched
	Patterns    []string // of the names of the files that are watched, as in *.py
	Environment []string // NAME=value, besides the environment of the server
}

// Options say how an application is found and run.
type Options struct {
	Python    string // interpreter; empty: that of the virtual environment, else python3
	Interface string // auto, wsgi or asgi
	SDK       SDK    // used by a Python without one
	Getenv    func(string) string
}

// SDK is a Python SDK that is not installed: that of a checkout.
type SDK struct {
	Folder  string // with the package; empty: there is none
	Library string // libupload_response.so
}

// Find finds the application that a user means by MODULE:NAME, a file, a program, or a folder.
// The error says what it has looked at.
func Find(name string, o Options) (*App, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil && strings.Contains(name, ":"):
		module, attribute, _ := strings.Cut(name, ":")
		return pythonModule(name, ".", module, attribute, "", o)
	case err != nil && !strings.ContainsAny(name, "/") && !strings.HasSuffix(name, ".py"):
		return pythonModule(name, ".", name, "", "", o)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	case info.IsDir():
		return inFolder(name, o)
	case strings.HasSuffix(name, ".py"):
		return pythonFile(name, name, o)
	case info.Mode()&0o111 == 0:
		return nil, fmt.Errorf("%s is neither Python nor a program that can be run: chmod +x %[1]s", name)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	folder, file := filepath.Split(path)
	return &App{Name: name, Command: []string{path}, Folder: filepath.Clean(folder), Patterns: []string{file}}, nil
}

// cause returns an error of a file without its path.
func cause(err error) error {
	var failed *os.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// files are the usual names of applications in a folder.
var files = []string{"app.py", "main.py", "application.py", "asgi.py", "wsgi.py"}

// inFolder finds the application of a folder: a project of Django, or a file with a usual name.
func inFolder(folder string, o Options) (*App, error) {
	if _, err := os.Stat(filepath.Join(folder, "manage.py")); err == nil {
		for _, file := range []string{"wsgi.py", "asgi.py"} {
			found, _ := filepath.Glob(filepath.Join(folder, "*", file))
			slices.Sort(found)
			if len(found) > 0 {
				project := filepath.Base(filepath.Dir(found[0]))
				return pythonModule(folder, folder, project+"."+strings.TrimSuffix(file, ".py"), "", "", o)
			}
		}
	}
	for _, file := range files {
		if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
			return pythonFile(folder, filepath.Join(folder, file), o)
		}
	}
	return nil, fmt.Errorf("no application in %s: looked for manage.py with a project, %s; say which, as in "+
		"MODULE:NAME or a file", folder, strings.Join(files, ", "))
}
