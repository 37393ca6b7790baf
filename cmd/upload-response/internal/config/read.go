package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Names are where the file is looked for, in this order.
var Names = []string{"upload-response.yaml", "/etc/upload-response/upload-response.yaml"}

// mostBytes is the longest file that is read.
const mostBytes = 1 << 20

// Load reads the file of a name, or the first of [Names] that exists if the name is empty. If
// there is none, it returns the defaults. The error is [Problems] if something in the file is
// wrong; then the file is returned as well, as far as it was read.
func Load(name string) (*File, error) {
	if name != "" {
		return Read(name)
	}
	for _, name := range Names {
		f, err := Read(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return Default(), nil
}

// Read reads a file. The error is as that of [Load].
func Read(name string) (*File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(name, text)
}

// Parse reads the text of a file. The name is for messages, and relative paths begin at its
// folder. The error is [Problems] if something is wrong with it; then the file is returned as
// well, as far as it was read.
func Parse(name string, text []byte) (*File, error) {
	f := Default()
	f.name, f.text, f.places = name, text, map[string]*token.Token{}
	if len(text) > mostBytes {
		f.add(nil, "the file is longer than %d bytes", mostBytes)
		return f, f.problems.err()
	}
	if body := f.parse(); body != nil {
		d := decoder{file: f, anchors: map[string]ast.Node{}}
		d.decode("", body, reflect.ValueOf(f).Elem())
		f.resolvePaths()
		f.unread = f.problems[:len(f.problems):len(f.problems)]
		f.check()
	}
	slices.SortStableFunc(f.problems, func(a, b *Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return f, f.problems.err()
}

// Name returns the name of the file; empty if there is none.
func (f *File) Name() string { return f.name }

// Text returns the text of the file as it was read. The caller does not change it.
func (f *File) Text() []byte { return f.text }

// parse returns the tree of the text; nil if it has no values, or cannot be read.
func (f *File) parse() (body ast.Node) {
	defer func() {
		if failure := recover(); failure != nil {
			f.add(nil, "this is not YAML (%v)", failure)
			body = nil
		}
	}()
	if !f.checkText() {
		return nil
	}
	tokens := lexer.Tokenize(string(f.text))
	if deep := tooDeep(tokens); deep != nil {
		f.add(deep, "more than %d values inside each other", mostDepth)
		return nil
	}
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		f.addSyntax(err)
		return nil
	}
	for _, document := range tree.Docs {
		switch {
		case document.Body == nil:
		case body != nil:
			f.add(tokenOf(document.Body), "a second document: a configuration is a single one")
		default:
			body = document.Body
		}
	}
	return body
}

// addSyntax notes what the parser says.
func (f *File) addSyntax(err error) {
	var located yaml.Error
	if errors.As(err, &located) {
		f.add(located.GetToken(), "%s", remedy(located.GetMessage()))
		return
	}
	f.add(nil, "%s", remedy(err.Error()))
}

// tooDeep returns where values stand so deep inside each other that to parse them would take
// too much memory, or nil.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, line, inLine := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			inLine++
		}
		// Blocks are inside each other by their columns.
		if flow > mostDepth || inLine > 2*mostDepth || t.Type != token.CommentType && flow == 0 &&
			t.Position.IndentLevel > mostDepth {
			return t
		}
	}
	return nil
}

// resolvePaths makes paths absolute: relative ones begin at the folder of the file.
func (f *File) resolvePaths() {
	dir, err := filepath.Abs(filepath.Dir(f.name))
	if err != nil {
		dir = filepath.Dir(f.name) // the working folder is gone
	}
	resolve(reflect.ValueOf(f).Elem(), dir)
}

var (
	pathType  = reflect.TypeFor[Path]()
	pathsType = reflect.TypeFor[map[string]Path]()
)

func resolve(v reflect.Value, dir string) {
	switch {
	case v.Type() == pathType:
		if p := v.String(); p != "" && !filepath.IsAbs(p) {
			v.SetString(filepath.Join(dir, p))
		}
	case isSection(v.Type()):
		for _, field := range fieldsOf(v.Type()) {
			resolve(v.Field(field.index), dir)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			resolve(v.Index(i), dir)
		}
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() != reflect.String || v.Type() == pathsType:
		for _, name := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(name))
			resolve(value, dir)
			v.SetMapIndex(name, value)
		}
	}
}
