package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
)

// checkWorkers returns an error if the program of a worker's command does not exist, or
// cannot be executed. It leaves commands to the shell if the first word has quoting or
// expansions that only a shell understands.
func (s *settings) checkWorkers() error {
	for _, spec := range s.workers {
		program, ok := firstWord(spec.line)
		if !ok {
			continue
		}
		if _, err := exec.LookPath(program); err != nil && !errors.Is(err, exec.ErrDot) {
			return fmt.Errorf("worker %s=%s: cannot run %s: %w", spec.pool, spec.line, program, lookupCause(err))
		}
	}
	return nil
}

// lookupCause returns why a program cannot be executed, without the words around it.
func lookupCause(err error) error {
	var failed *exec.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err
}

// firstWord returns the first word of a shell command. It reports false if the word means
// more than itself to the shell, or is an option of exec.
func firstWord(line string) (string, bool) {
	line = strings.TrimLeft(line, " \t\n")
	if line == "" {
		return "", false
	}
	word, rest, special := line, "", "`$\\\"'|&;<>()*?[#~=%{}!"
	if quote := line[:1]; quote == "'" || quote == `"` {
		var closed bool
		if word, rest, closed = strings.Cut(line[1:], quote); !closed {
			return "", false
		}
		special = map[string]string{"'": "", `"`: "`$\\"}[quote]
	} else if i := strings.IndexAny(line, " \t\n"); i >= 0 {
		word, rest = line[:i], line[i:]
	}
	whole := rest == "" || strings.ContainsAny(rest[:1], " \t\n")
	return word, whole && word != "" && !strings.HasPrefix(word, "-") && !strings.ContainsAny(word, special)
}
