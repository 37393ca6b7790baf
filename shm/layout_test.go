package shm

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func structBytes(tb testing.TB, name string) int {
	tb.Helper()
	for _, s := range LayoutStructs() {
		if s.Name == name {
			return s.Bytes
		}
	}
	tb.Fatalf("no structure %q", name)
	return 0
}

// fieldsOf returns the words of a structure in order of their offsets.
func fieldsOf(name string) []FieldInfo {
	var fields []FieldInfo
	for _, f := range LayoutTable() {
		if f.Struct == name {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(a, b FieldInfo) int { return a.Offset - b.Offset })
	return fields
}

func fieldAt(tb testing.TB, name string) FieldInfo {
	tb.Helper()
	for _, f := range LayoutTable() {
		if f.Struct+"."+f.Name == name {
			return f
		}
	}
	tb.Fatalf("no word %q", name)
	return FieldInfo{}
}

func TestEveryWordHasAPlaceOfItsOwn(t *testing.T) {
	names := map[string]bool{}
	for _, s := range LayoutStructs() {
		end := 0
		fields := fieldsOf(s.Name)
		if len(fields) == 0 {
			t.Errorf("%s has no words", s.Name)
		}
		for _, f := range fields {
			name := f.Struct + "." + f.Name
			if names[name] {
				t.Errorf("%s is there twice", name)
			}
			names[name] = true
			if f.Size != 4 && f.Size != 8 {
				t.Errorf("%s has %d bytes", name, f.Size)
			}
			if f.Offset%f.Size != 0 {
				t.Errorf("%s at %d is not aligned to its %d bytes", name, f.Offset, f.Size)
			}
			if f.Offset < end {
				t.Errorf("%s at %d overlaps the word that ends at %d", name, f.Offset, end)
			}
			end = f.Offset + f.Size
			if f.Writer == "" || f.Meaning == "" {
				t.Errorf("%s has no writer or no meaning", name)
			}
		}
		if end > s.Bytes {
			t.Errorf("%s has %d bytes, its words need %d", s.Name, s.Bytes, end)
		}
	}
	if len(names) != len(LayoutTable()) {
		t.Errorf("%d words are in a structure that is not listed", len(LayoutTable())-len(names))
	}
}

// Structures that stand side by side in an array keep the alignment of the
// words within.
func TestEveryStructureKeepsItsNeighbourAligned(t *testing.T) {
	for _, s := range LayoutStructs() {
		align := 4
		for _, f := range fieldsOf(s.Name) {
			align = max(align, f.Size)
		}
		if s.Bytes%align != 0 {
			t.Errorf("%s of %d bytes does not keep words of %d aligned", s.Name, s.Bytes, align)
		}
	}
	for _, name := range []string{"header", "mailbox", "position", "row", "link", "lane"} {
		if structBytes(t, name)%lineBytes != 0 {
			t.Errorf("%s shares a cache line with its neighbour", name)
		}
	}
	if lineBytes%structBytes(t, "descriptor") != 0 || lineBytes%structBytes(t, "inbox_entry") != 0 {
		t.Error("an entry straddles two cache lines")
	}
}

func TestWordsOfDifferentThreadsAreOnDifferentLines(t *testing.T) {
	// Each group is written by one thread at a time; no two groups share a line.
	groups := map[string][][]string{
		"row":      {{"stream_id", "cancel"}, {"published", "wants_room"}},
		"lane":     {{"stream_id", "let_go"}, {"published", "wants_room"}, {"released", "wants_request"}},
		"link":     {{"asleep"}, {"taken"}, {"outbox_head"}},
		"position": {{"stream_id", "released", "wants_response"}},
		"mailbox": {
			{"generation", "state", "lanes", "ring", "outbox_entries", "buffers", "lanes_offset", "descriptors_offset",
				"buffers_offset", "response_bytes"},
			{"bell"}, {"inbox_head", "notice_head"}, {"watcher_asleep"},
		},
	}
	for name, list := range groups {
		lineOf := map[int]int{}
		words := 0
		for group, fields := range list {
			for _, field := range fields {
				f := fieldAt(t, name+"."+field)
				first, last := f.Offset/lineBytes, (f.Offset+f.Size-1)/lineBytes
				if first != last {
					t.Errorf("%s.%s straddles two lines", name, field)
				}
				if other, taken := lineOf[first]; taken && other != group {
					t.Errorf("%s.%s shares a line with %v", name, field, list[other])
				}
				lineOf[first] = group
				words++
			}
		}
		if words != len(fieldsOf(name)) {
			t.Errorf("%s has %d words, this test knows %d", name, len(fieldsOf(name)), words)
		}
	}
	state, buffers := fieldAt(t, "header.state"), fieldAt(t, "header.buffers_offset")
	if state.Offset/lineBytes == buffers.Offset/lineBytes {
		t.Error("the one word of the header that changes shares a line with those that do not")
	}
}

// Layout 1 is what programs in other languages were built with. A new hash means
// a new version, or a mistake.
func TestLayoutOneStaysAsItIs(t *testing.T) {
	const golden = 0xe65cbe3decca6669
	if LayoutMax != 1 {
		t.Fatalf("version %d needs a golden hash of its own", LayoutMax)
	}
	if got := LayoutHash(); got != golden {
		t.Errorf("layout 1 has hash %#x, it was %#x", got, uint64(golden))
	}
}

func TestTheHashChangesWithEveryNameOffsetAndSize(t *testing.T) {
	text := func(structs []StructInfo, fields []FieldInfo) string {
		var b strings.Builder
		for _, s := range structs {
			fmt.Fprintf(&b, "%s %d\n", s.Name, s.Bytes)
			for _, f := range fields {
				if f.Struct == s.Name {
					fmt.Fprintf(&b, "%s.%s %d %d\n", f.Struct, f.Name, f.Offset, f.Size)
				}
			}
		}
		return b.String()
	}
	// FNV-1a 64, once more and by hand, as another language would write it.
	hash := uint64(0xcbf29ce484222325)
	for _, c := range []byte(text(LayoutStructs(), LayoutTable())) {
		hash = (hash ^ uint64(c)) * 0x100000001b3
	}
	if hash != LayoutHash() {
		t.Errorf("by hand the hash is %#x, the code says %#x", hash, LayoutHash())
	}
}

func TestThePrintedTableHasALineForEveryStructureAndWord(t *testing.T) {
	var out bytes.Buffer
	if err := WriteLayoutTable(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if want := len(LayoutStructs()) + len(LayoutTable()); len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	for _, f := range LayoutTable() {
		want := fmt.Sprintf("%s %s %d %d %s %s", f.Struct, f.Name, f.Offset, f.Size, f.Writer, f.Meaning)
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.Join(strings.Fields(line),
				" ") == want
		}) {
			t.Errorf("no line for %q", want)
		}
	}
	if err := WriteLayoutTable(&failingWriter{}); err == nil {
		t.Error("an error of the writer is lost")
	}
}

type failingWriter struct{}

func (*failingWriter) Write([]byte) (int, error) { return 0, fmt.Errorf("full") }

func TestTheMarksOfTheLayoutAreWhatTheTableCallsThem(t *testing.T) {
	if NoBuffer != math.MaxUint32 || AllReleased != math.MaxUint64 || SlotAlign != 64 {
		t.Error("a mark has changed")
	}
	if Final != 256 {
		t.Errorf("the final bit is %d", Final)
	}
	for kind, name := range map[Kind]string{1: "headers", 2: "body", 3: "trailers", 4: "end", 5: "abort", 6: "interim",
		7: "text",
		8: "binary", 9: "close", 0: "unknown", 10: "unknown", Final: "unknown", KindText | Final: "unknown"} {
		if kind.String() != name || kind.Valid() != (name != "unknown") {
			t.Errorf("kind %d is called %q", kind, kind)
		}
	}
}
