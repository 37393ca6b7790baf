// Command structure measures how the server is built, from its code: the largest circle
// of types that hold each other by fields, and the way of a small GET through functions,
// files and packages. Run it in the module's root: go run ./tests/structure
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	list := flag.Bool("list", false, "print the way of the GET function by function")
	flag.Parse()
	if err := run(*list); err != nil {
		fmt.Fprintln(os.Stderr, "structure:", err)
		os.Exit(1)
	}
}

func run(list bool) error {
	circle, err := LargestCircle("server")
	if err != nil {
		return err
	}
	fmt.Printf("largest circle of types by fields: %d\n", len(circle))
	for _, name := range circle {
		fmt.Println("   ", name)
	}
	way, err := TraceGet(".")
	if err != nil {
		return err
	}
	small, err := inlined(".")
	if err != nil {
		return err
	}
	read := firsts(way, small)
	if list {
		for _, f := range read {
			fmt.Printf("%-40s %s\n", f.File, f.Name)
		}
	}
	fmt.Println("a small GET, call by call:              ", Measure(way))
	fmt.Println("as one reads it, without inlined ones:  ", Measure(read))
	return nil
}

// firsts returns the functions of a way as somebody reads them who follows it: each one
// once, and none of those that the compiler inlines, which are a line or two.
func firsts(way []Function, small map[string]bool) (list []Function) {
	seen := map[Function]bool{}
	for _, f := range way {
		if !seen[f] && !small[fmt.Sprintf("%s:%d", f.File, f.Line)] {
			list = append(list, f)
		}
		seen[f] = true
	}
	return list
}

// Measures are the figures of a way.
type Measures struct {
	Calls     int // functions entered, in all
	Functions int // different ones
	Files     int
	Packages  int
	Returns   int // how often the way comes back to a file that it had left
	Moves     int // how often it goes on in another package
}

// String returns the figures in a line.
func (m Measures) String() string {
	return fmt.Sprintf("%d calls of %d functions in %d files of %d packages; "+
		"back to a file %d times, on to another package %d times",
		m.Calls, m.Functions, m.Files, m.Packages, m.Returns, m.Moves)
}

// Measure counts along a way.
func Measure(way []Function) (m Measures) {
	functions, files, packages := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var file, folder string
	for _, f := range way {
		at := f.File[:strings.LastIndexByte(f.File, '/')]
		if f.File != file && files[f.File] {
			m.Returns++
		}
		if at != folder && folder != "" {
			m.Moves++
		}
		file, folder = f.File, at
		functions[f.File+" "+f.Name], files[f.File], packages[at] = true, true, true
	}
	m.Calls, m.Functions, m.Files, m.Packages = len(way), len(functions), len(files), len(packages)
	return m
}
