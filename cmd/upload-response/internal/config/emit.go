package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// line is a line of a file that is written.
type line struct {
	depth int
	text  string
	note  string // a comment behind it
}

// emitter writes a configuration as YAML.
type emitter struct {
	// keep says whether the value of a key is written, and with which comment.
	keep func(key string, f field, v reflect.Value) (note string, ok bool)
	// text changes how a value is written; nil: it is not changed.
	text func(key string, f field, v reflect.Value) (string, bool)
	// section says whether a section of a list's element is written; nil: if something in it is.
	section func(key string) bool
}

// write writes the lines, with the comments in one column.
func write(w io.Writer, lines []line) error {
	width := 0
	for _, l := range lines {
		if n := 2*l.depth + utf8.RuneCountInString(l.text); l.note != "" && n < 60 {
			width = max(width, n)
		}
	}
	for _, l := range lines {
		text := strings.Repeat("  ", l.depth) + l.text
		if l.note != "" {
			text += strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0)) + "  # " + l.note
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}

// lines returns the lines of a section.
func (e *emitter) lines(key string, section reflect.Value, depth int) (list []line) {
	for _, f := range fieldsOf(section.Type()) {
		below, v := join(key, f.name), section.Field(f.index)
		switch {
		case isSection(f.kind):
			list = append(list, e.below(below, f, v, depth)...)
		case f.kind.Kind() == reflect.Map:
			list = append(list, e.named(below, f, v, depth)...)
		case f.kind.Kind() == reflect.Slice && isSection(f.kind.Elem()):
			list = append(list, e.items(below, f, v, depth)...)
		default:
			if note, ok := e.keep(below, f, v); ok {
				list = append(list, line{depth, f.name + ": " + e.value(below, f, v), note})
			}
		}
	}
	return list
}

// below returns the lines of a section and of its name; in one if only its main key has a value.
func (e *emitter) below(key string, f field, v reflect.Value, depth int) []line {
	if e.section != nil && strings.Contains(key, "]") && !e.section(key) {
		return nil
	}
	list := e.lines(key, v, depth+1)
	if short, found := shortField(f.kind); found && len(list) == 1 {
		if value, is := strings.CutPrefix(list[0].text, short.name+": "); is {
			return []line{{depth, f.name + ": " + value, list[0].note}}
		}
	}
	return titled(f.name, list, depth)
}

func titled(name string, list []line, depth int) []line {
	if len(list) == 0 {
		return nil
	}
	return append([]line{{depth: depth, text: name + ":"}}, list...)
}

// named returns the lines of a map.
func (e *emitter) named(key string, f field, m reflect.Value, depth int) []line {
	var list []line
	names := slices.SortedFunc(maps.Keys(mapOf(m)), strings.Compare)
	for _, name := range names {
		v, below := m.MapIndex(reflect.ValueOf(name)), key+"."+name
		if isSection(v.Type()) {
			inner := e.lines(below, v, depth+2)
			if len(inner) == 0 {
				note, _ := e.keep(below, f, v)
				list = append(list, line{depth + 1, plainText(name) + ": {}", note})
			}
			list = append(list, titled(plainText(name), inner, depth+1)...)
			continue
		}
		if note, ok := e.keep(below, f, v); ok {
			list = append(list, line{depth + 1, plainText(name) + ": " + e.value(below, f, v), note})
		}
	}
	return titled(f.name, list, depth)
}

func mapOf(m reflect.Value) map[string]bool {
	names := map[string]bool{}
	for _, name := range m.MapKeys() {
		names[name.String()] = true
	}
	return names
}

// items returns the lines of a list of sections.
func (e *emitter) items(key string, f field, v reflect.Value, depth int) []line {
	var list []line
	for i := range v.Len() {
		item := e.lines(indexed(key, i), v.Index(i), depth+2)
		for n := range item {
			if n == 0 {
				item[n].depth, item[n].text = depth+1, "- "+item[n].text
			}
		}
		list = append(list, item...)
	}
	return titled(f.name, list, depth)
}

// value returns a value as YAML.
func (e *emitter) value(key string, f field, v reflect.Value) string {
	if e.text != nil {
		if text, changed := e.text(key, f, v); changed {
			return text
		}
	}
	return valueText(v)
}

func valueText(v reflect.Value) string {
	if t, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := t.MarshalText()
		if err != nil {
			panic(err) // none of our types fails
		}
		return plainText(string(text))
	}
	switch v.Kind() {
	case reflect.Slice:
		var list []string
		for i := range v.Len() {
			list = append(list, valueText(v.Index(i)))
		}
		return "[" + strings.Join(list, ", ") + "]"
	case reflect.String:
		return stringText(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// plain matches texts that need no quotes, wherever they stand.
var plainPattern = regexp.MustCompile(`^(-[A-Za-z-]|[A-Za-z0-9/._])([A-Za-z0-9/._*:@%+$> -]*[A-Za-z0-9/._*@%+$-])?$`)

// plainText returns a text with quotes if it needs them.
func plainText(text string) string {
	if plainPattern.MatchString(text) && !strings.Contains(text, ": ") {
		return text
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a text can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// stringText returns a text with quotes if it needs them, or if it looks like another type.
func stringText(text string) string {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.Quote(text)
	}
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", ".inf", ".nan":
		return strconv.Quote(text)
	}
	return plainText(text)
}

// Write writes what differs from the defaults. It can be read again, and is the same then.
func (f *File) Write(w io.Writer) error {
	return write(w, f.changed())
}

func (f *File) changed() []line {
	e := emitter{keep: func(_ string, field field, v reflect.Value) (string, bool) {
		if field.kind.Kind() == reflect.Map {
			return "", true
		}
		if field.value == "" {
			return "", !v.IsZero() && (v.Kind() != reflect.Slice || v.Len() > 0)
		}
		standard := reflect.New(v.Type()).Elem()
		if err := setText(standard, field.value); err != nil {
			panic(err) // Default has set it
		}
		return "", !reflect.DeepEqual(v.Interface(), standard.Interface())
	}}
	return e.lines("", reflect.ValueOf(f).Elem(), 0)
}
