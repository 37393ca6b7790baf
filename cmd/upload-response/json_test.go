package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
)

// callJSON runs a command that prints JSON, and decodes it strictly.
func callJSON(t *testing.T, v any, args ...string) {
	t.Helper()
	stdout, stderr, status := call(nil, args...)
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil || status != 0 || stderr != "" || decoder.More() {
		t.Fatalf("%q: %v, status %d, printed %q and %q", args, err, status, stdout, stderr)
	}
}

func TestVersionAsJSONNamesTheLayouts(t *testing.T) {
	var b build
	callJSON(t, &b, "version", "--json")
	text, _, _ := call(nil, "layout")
	if b.Version != server.Version || b.Layouts.Max != shm.LayoutMax || !strings.HasSuffix(text, b.Layouts.Hash+"\n") {
		t.Errorf("%+v", b)
	}
}

func TestLayoutAsJSONHasEveryWordOfTheTable(t *testing.T) {
	var l struct {
		Layouts    layoutRange    `json:"layouts"`
		Structures []layoutStruct `json:"structures"`
	}
	callJSON(t, &l, "layout", "--json")
	var words []shm.FieldInfo
	for _, s := range l.Structures {
		for _, w := range s.Words {
			words = append(words, shm.FieldInfo{Struct: s.Name, Name: w.Name, Offset: w.Offset, Size: w.Size,
				Writer: w.Writer, Meaning: w.Meaning})
		}
	}
	table := shm.LayoutTable()
	if len(words) != len(table) || l.Layouts != layouts() {
		t.Fatalf("%d words, want %d; %+v", len(words), len(table), l.Layouts)
	}
	for i, w := range words {
		if w != table[i] {
			t.Errorf("%+v, want %+v", w, table[i])
		}
	}
}
