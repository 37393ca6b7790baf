package config

import (
	"errors"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// command reads a list of a program and its arguments, or a text that is split into them.
func (d *decoder) command(key string, node ast.Node, v reflect.Value) {
	if _, list := node.(*ast.SequenceNode); list {
		d.list(key, node, v)
		return
	}
	line, single := scalarText(node)
	if !single {
		d.unexpected(node, v.Type())
		return
	}
	words, err := splitCommand(line)
	if err != nil {
		d.file.add(node.GetToken(), "command: %v", err)
	}
	v.Set(reflect.ValueOf(Command(words)))
}

// splitCommand splits a line at spaces, but for those in quotes or behind a backslash, as a
// shell does. It expands nothing.
func splitCommand(line string) (words []string, err error) {
	var word strings.Builder
	var quote rune
	started, escaped := false, false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			started, escaped = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			started, quote = true, c
		case quote == 0 && strings.ContainsRune(" \t\n", c):
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}
