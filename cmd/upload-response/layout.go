package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/shm"
)

const layoutExample = `
# Compare the layouts of two programs by the hash in the last line
upload-response layout

# The offsets, for a program that generates code
upload-response layout --json
`

func (p *program) layoutCommand() *cobra.Command {
	var asJSON bool
	return cli.NewCommand(&cli.FlagSet{
		Command: "upload-response layout", Example: layoutExample,
		Summary: "prints every word of the shared memory, and the hash of them all",
		Groups:  jsonFlags(&asJSON),
	}, p.getenv, func([]string) error { return p.layout(asJSON) })
}

// layoutRange is the layout versions that this program can attach with, as JSON.
type layoutRange struct {
	Min  int    `json:"min"`
	Max  int    `json:"max"`
	Hash string `json:"hash"` // of Max: 64 bits in hexadecimal, which would not fit a number of JSON
}

func layouts() layoutRange {
	return layoutRange{shm.LayoutMin, shm.LayoutMax, fmt.Sprintf("%#016x", shm.LayoutHash())}
}

// layoutWord is a word of the shared memory, as JSON.
type layoutWord struct {
	Name    string `json:"name"`
	Offset  int    `json:"offset"` // bytes from the start of the structure
	Size    int    `json:"size"`   // bytes
	Writer  string `json:"writer"`
	Meaning string `json:"meaning"`
}

// layoutStruct is a structure of the shared memory, as JSON.
type layoutStruct struct {
	Name  string       `json:"name"`
	Bytes int          `json:"bytes"`
	Words []layoutWord `json:"words"`
}

// layout prints every word of the shared memory.
func (p *program) layout(asJSON bool) error {
	if asJSON {
		return printJSON(p.stdout, struct {
			Layouts    layoutRange    `json:"layouts"`
			Structures []layoutStruct `json:"structures"`
		}{layouts(), layoutStructs()})
	}
	if err := shm.WriteLayoutTable(p.stdout); err != nil {
		return err
	}
	l := layouts()
	_, err := fmt.Fprintf(p.stdout, "\nlayouts %d to %d, hash %s\n", l.Min, l.Max, l.Hash)
	return err
}

func layoutStructs() (list []layoutStruct) {
	for _, s := range shm.LayoutStructs() {
		structure := layoutStruct{Name: s.Name, Bytes: s.Bytes}
		for _, f := range shm.LayoutTable() {
			if f.Struct == s.Name {
				structure.Words = append(structure.Words, layoutWord{f.Name, f.Offset, f.Size, f.Writer, f.Meaning})
			}
		}
		list = append(list, structure)
	}
	return list
}
