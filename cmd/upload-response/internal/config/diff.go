package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is a value that differs between two files.
type Change struct {
	Key      string
	Old, New string // as YAML; empty: there is none. Secrets are hidden.
	Upgrade  bool   // it cannot change while the server runs
}

// Diff returns what is different in another file, with the defaults of what does not stand in
// the files, sorted by key. An app that only one of them has is one change.
func Diff(before, after *File) (list []Change) {
	a, b := before.values(), after.values()
	for key := range b {
		if _, found := a[key]; !found {
			a[key] = leaf{}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if x, y := a[key], b[key]; x.text != y.text && !ofOne(before.Apps, after.Apps, key) {
			list = append(list, Change{key, x.shown, y.shown, x.upgrade || y.upgrade})
		}
	}
	return list
}

// ofOne reports whether a key is a setting of an app that only one of two files has.
func ofOne(a, b map[string]App, key string) bool {
	for _, pair := range [][2]map[string]App{{a, b}, {b, a}} {
		for name := range pair[0] {
			if _, both := pair[1][name]; !both && strings.HasPrefix(key, "apps."+name+".") {
				return true
			}
		}
	}
	return false
}

// leaf is a value of a file as YAML.
type leaf struct {
	text, shown string
	upgrade     bool
}

// values returns all values by key.
func (f *File) values() map[string]leaf {
	all := map[string]leaf{}
	for name := range f.Apps {
		all["apps."+name] = leaf{text: "{}", shown: "{...}"}
	}
	e := emitter{keep: func(key string, field field, v reflect.Value) (string, bool) {
		if isSection(v.Type()) {
			return "", false
		}
		text := valueText(v)
		l := leaf{text: text, shown: text, upgrade: needsUpgrade(key)}
		if field.secret && secret(key, v) {
			l.shown = "(hidden)"
		}
		all[key] = l
		return "", false
	}}
	e.lines("", reflect.ValueOf(f).Elem(), 0)
	return all
}

// upgradeKeys are the keys and sections whose values cannot change while the server runs.
var upgradeKeys = keysToUpgrade(reflect.TypeFor[File](), "")

func keysToUpgrade(t reflect.Type, key string) (list []string) {
	for _, f := range fieldsOf(t) {
		below := join(key, f.name)
		switch {
		case f.upgrade:
			list = append(list, below)
		case isSection(f.kind):
			list = append(list, keysToUpgrade(f.kind, below)...)
		}
	}
	return list
}

func needsUpgrade(key string) bool {
	return slices.ContainsFunc(upgradeKeys, func(k string) bool {
		rest, below := strings.CutPrefix(key, k)
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}
