package supervise

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// Program returns the file that the command of the app starts: absolute, relative to the
// folder of the app, or found in PATH, which Environment may set. It returns an error if there
// is no such file, or it cannot be executed.
func (a *App) Program() (string, error) {
	return findProgram(a.Command[0], a.Directory, a.Environment)
}

func findProgram(name, directory string, environment []string) (string, error) {
	if strings.Contains(name, "/") {
		file := name
		if !filepath.IsAbs(name) {
			file = filepath.Join(directory, name)
		}
		if directory == "" && !filepath.IsAbs(name) {
			file = "./" + file // not to be looked up in PATH
		}
		return lookUp(file)
	}
	for _, variable := range environment {
		if path, found := strings.CutPrefix(variable, "PATH="); found {
			return lookUpIn(name, path)
		}
	}
	return lookUp(name)
}

func lookUpIn(name, path string) (string, error) {
	for _, folder := range filepath.SplitList(path) {
		if file, err := lookUp(filepath.Join(folder, name)); err == nil && folder != "" {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

// lookUp returns the path of a program, or why it cannot be executed.
func lookUp(name string) (string, error) {
	file, err := exec.LookPath(name)
	if err == nil || errors.Is(err, exec.ErrDot) {
		return file, nil
	}
	var failed *exec.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return "", err
}
