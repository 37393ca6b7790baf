package config

import (
	"path/filepath"
	"strconv"
	"time"
)

// argv returns the program of an app and its arguments; none if others start its workers.
func (a *App) argv() []string {
	if len(a.Command) > 0 || a.Python == "" {
		return a.Command
	}
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
