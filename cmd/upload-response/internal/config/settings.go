package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// Setting is a value that stands in a file and that a flag sets as well.
type Setting struct {
	Flag   string
	Values []Value // one, or several if the flag can be repeated
}

// Value is a text that the flag takes, and the key where it stands in the file.
type Value struct{ Key, Text string }

// Settings returns what the file says that flags say as well, in the order of the keys. The
// settings of apps, routes and certificates are not among them, but for who may attach.
func (f *File) Settings() (list []Setting) {
	list = f.settings("", reflect.ValueOf(f).Elem(), nil)
	return f.appendAttach(list)
}

// settings appends those of a section.
func (f *File) settings(key string, section reflect.Value, list []Setting) []Setting {
	for _, field := range fieldsOf(section.Type()) {
		below, v := join(key, field.name), section.Field(field.index)
		switch {
		case isSection(field.kind):
			list = f.settings(below, v, list)
		case field.flag != "" && f.has(below):
			list = append(list, Setting{field.flag, flagValues(below, v)})
		}
	}
	return list
}

func flagValues(key string, v reflect.Value) (list []Value) {
	if v.Kind() != reflect.Slice {
		return []Value{{key, flagText(v)}}
	}
	for i := range v.Len() {
		list = append(list, Value{indexed(key, i), flagText(v.Index(i))})
	}
	return list
}

// flagText returns a value as a flag takes it.
func flagText(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case Duration:
		return time.Duration(value).String()
	case Memory:
		return strconv.FormatUint(value.Bytes(), 10)
	case Size:
		return strconv.FormatUint(uint64(value), 10)
	case Rate:
		return strconv.FormatFloat(float64(value), 'f', -1, 64)
	}
	return strings.Join(texts(v), ",")
}

// appendAttach appends who may attach to single apps.
func (f *File) appendAttach(list []Setting) []Setting {
	uids, gids, others := Setting{Flag: "allow-uid"}, Setting{Flag: "allow-gid"}, Setting{Flag: "open-pool"}
	for _, name := range f.AppNames() {
		key, attach := "apps."+name+".attach", f.Apps[name].Attach
		for i, uid := range attach.UIDs {
			uids.Values = append(uids.Values, Value{indexed(key+".uids", i), idOf(name, uid)})
		}
		for i, gid := range attach.GIDs {
			gids.Values = append(gids.Values, Value{indexed(key+".gids", i), idOf(name, gid)})
		}
		if attach.Others {
			others.Values = append(others.Values, Value{key + ".others", name})
		}
	}
	for _, s := range []Setting{uids, gids, others} {
		if len(s.Values) > 0 {
			list = append(list, s)
		}
	}
	return list
}

func idOf(app string, id uint32) string { return app + "=" + strconv.FormatUint(uint64(id), 10) }

// Fault returns an error about the value of a key as [Problems], with its place in the file.
func (f *File) Fault(key string, err error) error {
	f.problems = nil
	f.addAt(key, "%s: %v", f.nameOf(key), err)
	return f.problems
}

// FlagKeys returns the key of each flag that sets a single one.
func FlagKeys() map[string]string {
	keys := map[string]string{}
	flagKeys(reflect.TypeFor[File](), "", keys)
	return keys
}

func flagKeys(t reflect.Type, key string, keys map[string]string) {
	for _, field := range fieldsOf(t) {
		switch below := join(key, field.name); {
		case isSection(field.kind):
			flagKeys(field.kind, below, keys)
		case field.flag != "":
			keys[field.flag] = below
		}
	}
}

// FlagDefaults returns the defaults of the flags that have one here, as the flags take it.
func FlagDefaults() map[string]string {
	defaults := map[string]string{}
	flagDefaults(reflect.ValueOf(Default()).Elem(), defaults)
	return defaults
}

func flagDefaults(section reflect.Value, defaults map[string]string) {
	for _, field := range fieldsOf(section.Type()) {
		switch v := section.Field(field.index); {
		case isSection(field.kind):
			flagDefaults(v, defaults)
		case field.flag != "" && field.value != "":
			defaults[field.flag] = flagText(v)
		}
	}
}

// Place returns where the value of a key stands, as FILE:LINE; empty if it does not stand in the
// file.
func (f *File) Place(key string) string {
	at := f.places[key]
	if at == nil {
		return ""
	}
	return f.name + ":" + strconv.Itoa(at.Position.Line)
}

// UnknownVariables returns the names of environment variables, NAME=VALUE, that have the prefix
// of ours and are not those of flags.
func UnknownVariables(environ, flags []string) (names []string) {
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, cli.EnvName("")) && !slices.ContainsFunc(flags,
			func(flag string) bool { return cli.EnvName(flag) == name }) {
			names = append(names, name)
		}
	}
	return names
}
