package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runBench runs `upload-response bench http --quick` with a PATH, and returns what it
// printed.
func runBench(path string) (stdout, stderr string, err error) {
	var out, errors bytes.Buffer
	command := exec.Command(os.Args[0], "bench", "http", "--quick")
	command.Env = append(os.Environ(), asProgram+"=1", "PATH="+path)
	command.Stdout, command.Stderr = &out, &errors
	err = command.Run()
	return out.String(), errors.String(), err
}

func TestDeprecatedBenchRunsTheBenchmarkProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "upload-response-bench")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"ran $*\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := runBench(dir)
	if err != nil || stdout != "ran http --quick\n" {
		t.Errorf("%v, printed %q", err, stdout)
	}
	if want := "upload-response bench is deprecated: run " + program + "\n"; stderr != want {
		t.Errorf("%q, want %q", stderr, want)
	}
}

func TestDeprecatedBenchSaysWhereTheBenchmarkProgramIs(t *testing.T) {
	t.Parallel()
	_, stderr, err := runBench(t.TempDir())
	if err == nil || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "go install github.com/wavey-ai/upload-response/cmd/upload-response-bench@latest") {
		t.Errorf("%v, printed %q", err, stderr)
	}
}
