package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// field is a key of a section.
type field struct {
	name         string
	index        int
	flag         string   // the flag that sets the same; empty: none
	value        string   // the default
	enum         []string // possible values; nil: any
	hints        []string // what other programs call it
	short        bool     // a value in place of the section is that of this key
	required     bool
	secret       bool
	upgrade      bool // to change it takes a new process
	kind         reflect.Type
	declaredName string // in Go
}

// fieldsOf returns the keys of a section, in their order.
func fieldsOf(t reflect.Type) (list []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		list = append(list, field{
			name: name, index: i, flag: f.Tag.Get("flag"), value: f.Tag.Get("default"),
			enum: words(f.Tag.Get("enum")), hints: words(f.Tag.Get("hint")),
			short: f.Tag.Get("short") != "", required: f.Tag.Get("required") != "",
			secret: f.Tag.Get("secret") != "", upgrade: f.Tag.Get("upgrade") != "", kind: f.Type, declaredName: f.Name,
		})
	}
	return list
}

func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// shortField returns the key that a value in place of a section sets.
func shortField(t reflect.Type) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.short {
			return f, true
		}
	}
	return field{}, false
}

// isSection reports whether values of a type have keys of their own.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isText(t) }

// suggestion says which key an unknown one may be meant as.
func suggestion(t reflect.Type, unknown string) string {
	var names []string
	lower := strings.ToLower(strings.ReplaceAll(unknown, "_", "-"))
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
		if slices.Contains(f.hints, lower) {
			return ": did you mean " + f.name + "?"
		}
	}
	if lower != unknown && slices.Contains(names, lower) {
		return ": did you mean " + lower + "?"
	}
	if elsewhere := find(reflect.TypeFor[File](), "", lower); elsewhere != "" && cli.Nearest(unknown, names) == "" {
		return ": it is a key elsewhere, " + elsewhere
	}
	if near := cli.Nearest(unknown, names); near != "" {
		return ": did you mean " + near + "?"
	}
	return ": want " + cli.OneOf(names)
}

// find returns where a key of a name belongs, below a prefix; empty if nowhere.
func find(t reflect.Type, prefix, name string) string {
	for _, f := range fieldsOf(t) {
		if f.name == name {
			return prefix + f.name
		}
	}
	for _, f := range fieldsOf(t) {
		below, path := f.kind, prefix+f.name
		switch below.Kind() {
		case reflect.Map:
			below, path = below.Elem(), path+".NAME"
		case reflect.Slice:
			below, path = below.Elem(), path+"[]"
		}
		if !isSection(below) {
			continue
		}
		if found := find(below, path+".", name); found != "" {
			return found
		}
	}
	return ""
}
