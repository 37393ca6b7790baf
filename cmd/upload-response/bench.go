package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// benchProgram is the program that took the place of `upload-response bench`.
const benchProgram = "upload-response-bench"

// bench becomes the benchmark program, with the same arguments.
//
// Deprecated: it is here for scripts that were written for earlier versions.
func (p *program) bench(args []string) error {
	path, err := findBench()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "upload-response bench is deprecated: run %s\n", path)
	return fmt.Errorf("%s: %w", path, unix.Exec(path, append([]string{benchProgram}, args...), os.Environ()))
}

// findBench looks for the benchmark program beside this one, and then in PATH.
func findBench() (string, error) {
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), benchProgram)); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath(benchProgram); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("bench is a program of its own now, %s, which is neither beside this one nor in PATH: "+
		"make build, or go install github.com/wavey-ai/upload-response/cmd/%s@latest", benchProgram, benchProgram)
}
