// Package layoutpage reads docs/layout.md, so that code of every language can be
// compared with it.
package layoutpage

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The heads of the page's two tables of the layout.
var (
	Words   = []string{"struct", "word", "offset", "size", "writer", "meaning"}
	Structs = []string{"structure", "bytes", "array"}
)

// Text returns the page; root is the way to the root of the module.
func Text(tb testing.TB, root string) string {
	tb.Helper()
	text, err := os.ReadFile(root + "/docs/layout.md")
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// Table returns the cells of the rows of the table with this head, which the page
// must have once.
func Table(tb testing.TB, page string, head ...string) [][]string {
	tb.Helper()
	var rows [][]string
	tables := 0
	inside := false
	for line := range strings.Lines(page) {
		cells, ok := cellsOf(line)
		switch {
		case !ok:
			inside = false
		case slices.Equal(cells, head):
			tables++
			inside = true
		case inside && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	if tables != 1 {
		tb.Fatalf("docs/layout.md has %d tables with head %q", tables, head)
	}
	return rows
}

// cellsOf returns the cells of a line of a markdown table.
func cellsOf(line string) ([]string, bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") {
		return nil, false
	}
	const bar = "\x00"
	line = strings.ReplaceAll(line[1:len(line)-1], `\|`, bar)
	var cells []string
	for cell := range strings.SplitSeq(line, "|") {
		cells = append(cells, strings.TrimSpace(strings.ReplaceAll(cell, bar, "|")))
	}
	return cells, true
}
