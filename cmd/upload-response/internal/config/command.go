package config

import (
	"errors"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/mattn/go-shellwords"
)

// command reads a list of a program and its arguments, or a text that is split into them.
func (d *decoder) command(key string, node ast.Node, v reflect.Value) {
	if _, list := node.(*ast.SequenceNode); list {
		d.list(key, node, v)
		return
	}
	line, single := scalarText(node)
	if !single {
		d.unexpected(key, node, v.Type())
		return
	}
	words, err := splitCommand(line)
	if err != nil {
		d.file.note(key, node.GetToken(), "command: %v", err)
	}
	v.Set(reflect.ValueOf(Command(words)))
}

// forShells are the characters that mean more than themselves to a shell.
const forShells = "`$|&;<>()*?[]{}~\n"

// splitCommand splits a line into words, at spaces outside of quotes.
func splitCommand(line string) ([]string, error) {
	if at := strings.IndexAny(line, forShells); at >= 0 {
		return nil, errors.New("no shell runs this, so that " + line[at:at+1] + " has no meaning: " +
			"write a list, such as [./server, --fast], or have a shell run it, as in [sh, -c, 'exec ...']")
	}
	words, err := shellwords.NewParser().Parse(line)
	if err != nil {
		return nil, errors.New("a quote is not closed")
	}
	return words, nil
}
