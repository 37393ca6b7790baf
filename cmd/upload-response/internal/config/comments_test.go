package config

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the schema and docs/configuration.md instead of comparing them")

// comments returns the comments of the package's types, by TYPE, and of their fields, by
// TYPE.FIELD.
func comments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if decl, ok := node.(*ast.GenDecl); ok && decl.Tok == token.TYPE {
				spec := decl.Specs[0].(*ast.TypeSpec)
				all[spec.Name.Name] = oneLine(decl.Doc.Text())
				fieldComments(spec, all)
			}
			return true
		})
	}
	return all
}

func fieldComments(spec *ast.TypeSpec, all map[string]string) {
	section, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range section.Fields.List {
		for _, name := range field.Names {
			all[spec.Name.Name+"."+name.Name] = oneLine(field.Doc.Text())
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// hold compares a generated text with the file that has it, or writes the file.
func hold(t *testing.T, name, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	there, err := os.ReadFile(name)
	if err != nil || string(there) != text {
		t.Errorf("%s is not that of the types (%v): go test ./cmd/upload-response/internal/config -run %s -update",
			name, err, t.Name())
	}
}
