package develop

import (
	_ "embed" // for the program that finds applications
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed bootstrap.py
var bootstrap string

// FindPython returns the interpreter of a virtual environment: the active one, or .venv or
// venv in the folder of the application or in ours. Without one it is python3.
func FindPython(folder string, getenv func(string) string) (string, error) {
	environments := []string{filepath.Join(folder, ".venv"), filepath.Join(folder, "venv"), ".venv", "venv"}
	if active := getenv("VIRTUAL_ENV"); active != "" {
		environments = append([]string{active}, environments...)
	}
	for _, environment := range environments {
		path, err := filepath.Abs(filepath.Join(environment, "bin", "python"))
		if err != nil {
			continue
		}
		if _, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", errors.New("there is no Python: neither a virtual environment (VIRTUAL_ENV, .venv, venv) nor " +
			"python3")
	}
	return path, nil
}

// pythonFile returns the application in a file, or the file as a program if it has none.
func pythonFile(name, file string, o Options) (*App, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	module := strings.TrimSuffix(filepath.Base(path), ".py")
	return pythonModule(name, filepath.Dir(path), module, "", path, o)
}

// pythonModule returns the application of a module below a folder. A file is run as a program
// if there is no application in it.
func pythonModule(name, folder, module, attribute, file string, o Options) (*App, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	python := o.Python
	if python == "" {
		if python, err = FindPython(folder, o.Getenv); err != nil {
			return nil, err
		}
	}
	if python, err = exec.LookPath(python); err != nil {
		return nil, fmt.Errorf("--python %s: %w", o.Python, cause(err))
	}
	return &App{
		Name: name, Folder: folder, Patterns: []string{"*.py"},
		Command: []string{python, "-c", bootstrap, folder, module, attribute, o.Interface, file, o.SDK.Folder,
			o.SDK.Library},
		Environment: []string{"PYTHONUNBUFFERED=1"},
	}, nil
}

// SDKBeside returns the Python SDK of the checkout in whose folder build a program is, or none.
func SDKBeside(program string) SDK {
	build := filepath.Dir(program)
	sdk := SDK{
		Folder:  filepath.Join(filepath.Dir(build), "sdk", "python", "src"),
		Library: filepath.Join(build, "c", "libupload_response.so.0"),
	}
	for _, path := range []string{filepath.Join(sdk.Folder, "upload_response"), sdk.Library} {
		if _, err := os.Stat(path); err != nil {
			return SDK{}
		}
	}
	return sdk
}
