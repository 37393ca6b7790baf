package shm

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/layoutpage"
)

// layoutPage is docs/layout.md.
func layoutPage(tb testing.TB) string { return layoutpage.Text(tb, "..") }

// tableOf returns the cells of the rows of the page's table with this head.
func tableOf(tb testing.TB, head ...string) [][]string {
	tb.Helper()
	return layoutpage.Table(tb, layoutPage(tb), head...)
}

// wantRows fails with what is missing in the page and what is too much.
func wantRows(tb testing.TB, got, want [][]string) {
	tb.Helper()
	key := func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
	find := func(rows [][]string, cells []string) bool {
		return slices.ContainsFunc(rows, func(row []string) bool { return slices.Equal(row, cells) })
	}
	for _, cells := range want {
		if !find(got, cells) {
			tb.Errorf("docs/layout.md lacks\n%s", key(cells))
		}
	}
	for _, cells := range got {
		if !find(want, cells) {
			tb.Errorf("the code has nothing like docs/layout.md's\n%s", key(cells))
		}
	}
	if !tb.Failed() && !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		tb.Error("the rows of docs/layout.md are not in the order of the code, or some are there twice")
	}
}

func TestThePageHasExactlyTheTable(t *testing.T) {
	var want [][]string
	for _, f := range LayoutTable() {
		want = append(want, []string{f.Struct, f.Name, strconv.Itoa(f.Offset), strconv.Itoa(f.Size), f.Writer,
			f.Meaning})
	}
	wantRows(t, tableOf(t, layoutpage.Words...), want)
}

func TestThePageHasTheSizeOfEveryStructure(t *testing.T) {
	var got, want [][]string
	for _, cells := range tableOf(t, layoutpage.Structs...) {
		got = append(got, cells[:2])
	}
	for _, s := range LayoutStructs() {
		want = append(want, []string{s.Name, strconv.Itoa(s.Bytes)})
	}
	wantRows(t, got, want)
}

func TestThePageHasTheHash(t *testing.T) {
	want := fmt.Sprintf("For version %d the hash is %#016x.", LayoutMax, LayoutHash())
	if !strings.Contains(layoutPage(t), want) {
		t.Errorf("docs/layout.md does not say %q", want)
	}
}

func TestThePageHasEveryKindReasonAndState(t *testing.T) {
	var kinds, reasons [][]string
	for k := KindHeaders; k.Valid(); k++ {
		kinds = append(kinds, []string{fmt.Sprint(uint32(k)), k.String()})
	}
	for r := ReasonNone; r.String() != "unknown"; r++ {
		reasons = append(reasons, []string{fmt.Sprint(uint32(r)), r.String()})
	}
	for _, c := range []struct {
		head []string
		want [][]string
	}{
		{[]string{"kind", "name", "meaning"}, kinds},
		{[]string{"reason", "name", "meaning"}, reasons},
		{[]string{"`header.state`", "name", "meaning"}, [][]string{
			{fmt.Sprint(ServerRunning), "running"}, {fmt.Sprint(ServerDraining), "draining"},
			{fmt.Sprint(ServerStopped), "stopped"},
		}},
		{[]string{"`mailbox.state`", "name", "meaning"}, [][]string{
			{fmt.Sprint(LinkClosed), "closed"}, {fmt.Sprint(LinkOpen), "open"}, {fmt.Sprint(LinkDraining), "draining"},
		}},
		{[]string{"reason", "bit", "ring after"}, [][]string{
			{"stream", fmt.Sprint(AsleepStream)}, {"notice", fmt.Sprint(AsleepNotice)},
		}},
	} {
		var got [][]string
		for _, cells := range tableOf(t, c.head...) {
			got = append(got, cells[:2])
		}
		wantRows(t, got, c.want)
	}
}

func TestThePageHasEveryBound(t *testing.T) {
	page := strings.Join(strings.Fields(layoutPage(t)), " ")
	for _, want := range []string{
		fmt.Sprintf("`slot_size` is from %d to %d and a multiple of %d", MinSlotSize, MaxSlotSize, SlotAlign),
		fmt.Sprintf("`rows` is at most %d, `links` and `lanes` at most %d, `buffers` at most %d", MaxRows, MaxLinks,
			MaxBuffers),
		fmt.Sprintf("`ring` is at most %d, `inbox_entries` at most %d, the other two at most %d", MaxRing, 2*MaxLanes,
			4*MaxLanes),
		fmt.Sprintf("(%#x)", RequestMagic),
		fmt.Sprintf("`buffer` %#x", NoBuffer),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/layout.md does not say %q", want)
		}
	}
}

// A label in a comment is a letter and 1 or 2, as in "A1" or "(H2/I2)".
var edgeLabel = regexp.MustCompile(`(?:^|[^A-Za-z0-9])([A-Z])([12])(?:$|[^A-Za-z0-9])`)

// Every edge that the code names is on the page with a word that exists, and the
// other way round; each has both of its ends.
func TestThePageHasEveryEdge(t *testing.T) {
	inCode := map[string]map[string]bool{} // letter: ends
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			_, comment, _ := strings.Cut(line, "//")
			comment = strings.ReplaceAll(comment, "/", "  ") // "H2/I2" is two labels
			for _, m := range edgeLabel.FindAllStringSubmatch(comment, -1) {
				if inCode[m[1]] == nil {
					inCode[m[1]] = map[string]bool{}
				}
				inCode[m[1]][m[2]] = true
			}
		}
	}
	var onPage []string
	for _, cells := range tableOf(t, "edge", "1: who stores what", "2: who loads it", "order", "what passes") {
		onPage = append(onPage, cells[0])
		if cells[0] == "S" {
			continue // it has many words
		}
		who, word, _ := strings.Cut(cells[1], ", ")
		field := fieldAt(t, strings.Trim(word, "`"))
		if field.Writer != who {
			t.Errorf("edge %s is stored by the %s, the table says by the %s", cells[0], who, field.Writer)
		}
		if cells[2] == who || (cells[2] != "server" && cells[2] != "worker") {
			t.Errorf("edge %s goes from %s to %s", cells[0], who, cells[2])
		}
	}
	if code := slices.Sorted(maps.Keys(inCode)); !slices.Equal(code, slices.Sorted(slices.Values(onPage))) {
		t.Errorf("the code has edges %v, docs/layout.md %v", code, onPage)
	}
	for letter, ends := range inCode {
		if len(ends) != 2 {
			t.Errorf("the code names only one end of edge %s", letter)
		}
	}
	// The table of words names the edge of each word that is one.
	for _, f := range LayoutTable() {
		m := edgeLabel.FindStringSubmatch(f.Meaning)
		if m != nil && !slices.Contains(onPage, m[1]) {
			t.Errorf("%s.%s is edge %s, which is not on the page", f.Struct, f.Name, m[1])
		}
	}
}

// Whoever follows a link within the page arrives.
func TestThePagesContentsLeadSomewhere(t *testing.T) {
	page := layoutPage(t)
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if !anchors[m[1]] {
			t.Errorf("there is no #%s", m[1])
		}
	}
}
