package config

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// argv returns the program of an app and its arguments; none if others start its workers. A
// program with a slash is looked for in the folder of the app.
func (a *App) argv() []string {
	argv := a.Command
	if len(argv) == 0 && a.Python != "" {
		argv = a.pythonArgv()
	}
	if len(argv) == 0 {
		return nil
	}
	program := argv[0]
	if strings.Contains(program, "/") && !filepath.IsAbs(program) {
		program = filepath.Join(string(a.Directory), program)
		if !strings.Contains(program, "/") {
			program = "./" + program
		}
	}
	return append([]string{program}, argv[1:]...)
}

func (a *App) pythonArgv() []string {
	interpreter := "python3"
	if a.Virtualenv != "" {
		interpreter = filepath.Join(a.Virtualenv, "bin", interpreter)
	}
	if a.Interface == "native" {
		return []string{interpreter, "-m", a.Python}
	}
	argv := []string{interpreter, "-m", "upload_response", a.Interface, a.Python}
	if a.Threads > 0 {
		argv = append(argv, "--threads", strconv.Itoa(a.Threads))
	}
	timeout := strconv.FormatFloat(time.Duration(a.Stop.Timeout).Seconds(), 'f', -1, 64)
	return append(argv, "--graceful-timeout", timeout)
}
