package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// place is a key, and where it can stand.
type keyPlace struct {
	field field
	parts []string // the names of the sections around it: "web" for one of apps, "-" for an element of a list
}

// everyKey returns all keys, those of sections among them.
func everyKey(section reflect.Type, parts []string) (list []keyPlace) {
	for _, f := range fieldsOf(section) {
		list = append(list, keyPlace{f, parts})
		below, inner := f.kind, append(slices.Clone(parts), f.name)
		switch {
		case below.Kind() == reflect.Map && isSection(below.Elem()):
			below, inner = below.Elem(), append(inner, "web")
		case below.Kind() == reflect.Slice && isSection(below.Elem()):
			below, inner = below.Elem(), append(inner, "-")
		}
		if isSection(below) {
			list = append(list, everyKey(below, inner)...)
		}
	}
	return list
}

// lines returns a file with lines in the section of the key, which begin at a line and a column.
func (k *keyPlace) lines(lines ...string) (text string, line, column int) {
	var b strings.Builder
	indent, dash := "", ""
	for _, part := range k.parts {
		if part == "-" {
			indent, dash = indent+"  ", indent+"- "
			continue
		}
		b.WriteString(indent + part + ":\n")
		if dash != "" {
			text := b.String()
			b.Reset()
			b.WriteString(strings.TrimSuffix(text, indent+part+":\n") + dash + part + ":\n")
			dash = ""
		}
		indent += "  "
	}
	line, column = strings.Count(b.String(), "\n")+1, len(indent)+1
	for _, l := range lines {
		if dash != "" {
			b.WriteString(dash + l + "\n")
			dash = ""
			continue
		}
		b.WriteString(indent + l + "\n")
	}
	return b.String(), line, column
}

// wrong returns values that the key cannot have.
func (k *keyPlace) wrong() []string {
	single := isText(k.field.kind) || k.field.kind.Kind() != reflect.Struct && k.field.kind.Kind() != reflect.Map &&
		k.field.kind.Kind() != reflect.Slice
	switch {
	case k.field.kind == reflect.TypeFor[Command]():
		return []string{"{a: b}", "[sh, [x]]"}
	case k.field.kind == reflect.TypeFor[Path](), k.field.kind.Kind() == reflect.String && k.field.enum == nil:
		return []string{"{a: b}", "[a, b]"}
	case isText(k.field.kind), k.field.kind.Kind() == reflect.Int, k.field.kind.Kind() == reflect.Bool:
		return []string{"{a: b}", "[a, b]", "17 parsecs", "-5", "1e99999", `""`, "0x1G", "∞"}
	case single:
		return []string{"{a: b}", "[a, b]", "none-of-these", `""`}
	case k.field.kind.Kind() == reflect.Slice && isSection(k.field.kind.Elem()), k.field.kind.Kind() == reflect.Map:
		return []string{"17", "text"}
	case k.field.kind.Kind() == reflect.Slice:
		return []string{"{a: b}", "[[a]]", "[{a: b}]"}
	}
	return []string{"[17, {}]"}
}

// tellsWhatToDo are words of messages that say what to do.
var tellsWhatToDo = []string{"want ", "did you mean ", "remove ", "give ", "is missing"}

// found fails the test unless a mistake in a text is shown at a place, with words about it.
func found(t *testing.T, text string, line, column int, words ...string) {
	t.Helper()
	_, err := Parse("upload-response.yaml", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Errorf("accepted:\n%s(%v)", text, err)
		return
	}
	for _, p := range problems {
		if p.Line != line || column > 0 && p.Column != column || !strings.Contains(p.Excerpt, "^") {
			continue
		}
		for _, word := range words {
			if strings.Contains(p.Message, word) {
				return
			}
		}
	}
	t.Errorf("%s\nwant %q at %d:%d; it says\n%v", text, words, line, column, err)
}

func TestEveryKeyCanBeMistakenAndEachMistakeIsShownWithWhatToDo(t *testing.T) {
	keys := everyKey(reflect.TypeFor[File](), nil)
	if len(keys) < 150 {
		t.Fatalf("%d keys", len(keys))
	}
	for _, k := range keys {
		name := k.field.name
		t.Run(strings.Join(append(slices.Clone(k.parts), name), "."), func(t *testing.T) {
			text, line, column := k.lines(name + name[len(name)-1:] + ": 1")
			found(t, text, line, column, "unknown key "+name+name[len(name)-1:]+": did you mean "+name+"?")
			for _, value := range k.wrong() {
				text, line, _ = k.lines(name + ": " + value)
				found(t, text, line, 0, tellsWhatToDo...)
			}
			text, line, column = k.lines(name+": 1", name+": 2")
			found(t, text, line+1, column, "stands in line ")
			text, line, _ = k.lines(name+":", "\tx: 1")
			found(t, text, line+1, 0, "a tab: ")
			if k.field.required {
				text, line, _ = k.lines("nothing: 1")
				found(t, text, line, 0, "the key "+name+" is missing")
			}
		})
	}
}
