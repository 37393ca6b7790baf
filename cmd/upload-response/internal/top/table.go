package top

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// The colours are those of the terminal, which fit its background.
var (
	plain = lipgloss.NewStyle()
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	good  = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	warn  = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	bad   = lipgloss.NewStyle().Foreground(lipgloss.Color("1"))
	cool  = lipgloss.NewStyle().Foreground(lipgloss.Color("6"))
	mark  = lipgloss.NewStyle().Reverse(true)
)

// column is a column of a table.
type column struct {
	head  string
	width int  // cells; 0: what is left
	right bool // numbers are at the right
	order int  // in which columns give way on a narrow terminal, 1 first; 0: it stays
}

// cell is one field of a table.
type cell struct {
	text  string
	style lipgloss.Style
}

func text(s string) cell { return cell{s, plain} }

// row is one row, which may be selected.
type row struct {
	cells    []cell
	selected bool
}

// leastRest is the least width of the column that takes what is left.
const leastRest = 10

// render returns the lines of a table: one with the heads, and one for each row.
func render(width int, columns []column, rows []row) []string {
	shown, rest := columnsWithin(width, columns)
	line := func(cells []cell, selected bool) string {
		var b strings.Builder
		for i, c := range columns {
			if !shown[i] {
				continue
			}
			n := c.width
			if n == 0 {
				n = rest
			}
			field := fit(cells[i].text, n, c.right)
			if i < len(columns)-1 {
				field += " "
			}
			style := cells[i].style
			if selected {
				style = mark
			}
			b.WriteString(style.Render(field))
		}
		return ansi.Truncate(b.String(), width, "")
	}
	var heads []cell
	for _, c := range columns {
		heads = append(heads, cell{c.head, faint})
	}
	lines := []string{line(heads, false)}
	for _, r := range rows {
		lines = append(lines, line(r.cells, r.selected))
	}
	return lines
}

// columnsWithin returns which columns a table of a width has room for, and what they leave for the one that takes
// the rest.
func columnsWithin(width int, columns []column) (shown []bool, rest int) {
	shown, rest = make([]bool, len(columns)), width+1
	for i, c := range columns {
		shown[i] = true
		rest -= c.width + 1
	}
	for order := 1; rest < leastRest; order++ {
		i := slices.IndexFunc(columns, func(c column) bool { return c.order == order })
		if i < 0 {
			break
		}
		shown[i] = false
		rest += columns[i].width + 1
	}
	return shown, max(rest, leastRest)
}

// fit returns text that is exactly so many cells wide.
func fit(s string, width int, right bool) string {
	if ansi.StringWidth(s) > width {
		s = ansi.Truncate(s, width, "…")
	}
	pad := strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
	if right {
		return pad + s
	}
	return s + pad
}

// bar shows how much of a whole is used.
func bar(used, all, width int) string {
	if all <= 0 {
		return strings.Repeat("·", width)
	}
	n := min((used*width+all-1)/all, width)
	return strings.Repeat("█", n) + strings.Repeat("·", width-n)
}
