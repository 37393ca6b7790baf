package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/wavey-ai/upload-response"

// graph has, for each type, the types of its fields: pointers, slices, maps, channels and
// type arguments count, parameters of functions do not.
type graph map[string][]string

// LargestCircle returns the largest set of types in the packages under a folder of which
// each can be reached from each other by fields, sorted.
func LargestCircle(folder string) ([]string, error) {
	g := graph{}
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err == nil {
			g.add(filepath.ToSlash(filepath.Dir(name)), file)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.largestCircle(), nil
}

// add notes the types of a file of a package.
func (g graph) add(folder string, file *ast.File) {
	imports := map[string]string{}
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		own, ok := strings.CutPrefix(path, module+"/")
		if !ok {
			continue
		}
		name := own[strings.LastIndexByte(own, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		imports[name] = own
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if ok {
			from := folder + "." + spec.Name.Name
			g[from] = append(g[from], typesIn(spec.Type, folder, imports)...)
		}
		return !ok
	})
}

// typesIn returns the types of our own that make up a type.
func typesIn(t ast.Expr, folder string, imports map[string]string) (names []string) {
	ast.Inspect(t, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncType, *ast.InterfaceType:
			return false
		case *ast.Field:
			names = append(names, typesIn(n.Type, folder, imports)...)
			return false
		case *ast.SelectorExpr:
			if of, ok := n.X.(*ast.Ident); ok && imports[of.Name] != "" {
				names = append(names, imports[of.Name]+"."+n.Sel.Name)
			}
			return false
		case *ast.Ident:
			names = append(names, folder+"."+n.Name)
		}
		return true
	})
	return names
}

// largestCircle returns the largest strongly connected component (Tarjan, Depth-first
// search and linear graph algorithms, 1972).
func (g graph) largestCircle() (largest []string) {
	index, low, onStack := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var visit func(string)
	visit = func(v string) {
		index[v] = len(index) + 1
		low[v] = index[v]
		stack, onStack[v] = append(stack, v), true
		for _, w := range g[v] {
			if _, known := g[w]; !known {
				continue
			}
			if index[w] == 0 {
				visit(w)
				low[v] = min(low[v], low[w])
			} else if onStack[w] {
				low[v] = min(low[v], index[w])
			}
		}
		if low[v] != index[v] {
			return
		}
		at := slices.Index(stack, v)
		for _, w := range stack[at:] {
			onStack[w] = false
		}
		if circle := stack[at:]; len(circle) > len(largest) {
			largest = slices.Sorted(slices.Values(circle))
		}
		stack = stack[:at]
	}
	for v := range g {
		if index[v] == 0 {
			visit(v)
		}
	}
	return largest
}
