package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// inlineNote is what the compiler says of a function that it can inline.
var inlineNote = regexp.MustCompile(`(?m)^(\S+?\.go):(\d+):\d+: can inline `)

// inlined returns the functions that the compiler inlines, by file and line. Nobody who
// follows the way has to look these up: they are a line or two.
func inlined(root string) (map[string]bool, error) {
	arguments := []string{"build", "-buildvcs=false", "-gcflags=" + module + "/...=-m"}
	for _, folder := range traced {
		arguments = append(arguments, "./"+folder+"/...")
	}
	command := exec.Command("go", arguments...)
	command.Dir = root
	out, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	list := map[string]bool{}
	for _, note := range inlineNote.FindAllStringSubmatch(string(out), -1) {
		list[strings.TrimPrefix(note[1], "./")+":"+note[2]] = true
	}
	return list, nil
}
