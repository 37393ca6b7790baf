package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// workerCommand adds POOL=COMMAND. A command that means to a shell what it says is split into
// words, and runs without one; the others run by exec of /bin/sh.
func workerCommand(p *[]supervise.App) func(string) error {
	return func(s string) error {
		pool, line, _ := strings.Cut(s, "=")
		if !validPool.MatchString(pool) || strings.TrimSpace(line) == "" {
			return errors.New("want POOL=COMMAND, such as 'default=./worker --fast'")
		}
		words, plain := splitCommand(line)
		if !plain {
			words = []string{shell, "-c", "exec " + line}
		}
		*p = append(*p, supervise.App{Name: appName(*p, pool), Pool: pool, Command: words})
		return nil
	}
}

// shell runs the commands that need one.
const shell = "/bin/sh"

// splitCommand returns the words of a command. It reports false if a shell would do more with
// it than take it apart: expand, redirect, or run several programs.
func splitCommand(line string) (words []string, plain bool) {
	if needsShell(line) {
		return nil, false
	}
	words, err := shellwords.NewParser().Parse(line)
	if err != nil || len(words) == 0 || words[0] == "" {
		return nil, false
	}
	first := words[0]
	return words, !strings.HasPrefix(first, "-") && !strings.ContainsAny(first, "=!%")
}

// needsShell reports whether a command has characters that mean more than themselves to a
// shell.
func needsShell(line string) bool {
	quote := rune(0)
	for i, c := range line {
		switch {
		case quote == '\'':
			if c == quote {
				quote = 0
			}
		case strings.ContainsRune("`$\\", c):
			return true
		case quote == '"':
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.ContainsRune("|&;<>()*?[]{}~\n", c):
			return true
		case c == '#' && (i == 0 || strings.ContainsRune(" \t", rune(line[i-1]))):
			return true
		}
	}
	return quote != 0
}

// checkPrograms returns an error if the program of an app does not exist, or cannot be
// executed. It leaves commands to the shell if the first word has quoting or expansions that
// only a shell understands.
func (s *settings) checkPrograms() error {
	for i := range s.apps {
		a := s.apps[i]
		if line, ok := shellLine(a.Command); ok {
			word, plain := firstWord(line)
			if !plain {
				continue
			}
			a.Command = []string{word}
		}
		if _, err := a.Program(); err != nil {
			return fmt.Errorf("app %s: cannot run %s: %w", a.Name, a.Command[0], err)
		}
	}
	return nil
}

// shellLine returns the line that a command has a shell run.
func shellLine(command []string) (line string, ok bool) {
	if len(command) != 3 || command[0] != shell || command[1] != "-c" {
		return "", false
	}
	return strings.CutPrefix(command[2], "exec ")
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
