package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Default returns a file in which nothing stands.
func Default() *File {
	f := &File{}
	setDefaults(reflect.ValueOf(f).Elem())
	return f
}

// SetDefaults fills in the defaults of a section, such as an [App] or a [Route].
func SetDefaults[T App | Route](section *T) { setDefaults(reflect.ValueOf(section).Elem()) }

// setDefaults fills in the defaults of the keys of a section, and of the sections in it.
func setDefaults(v reflect.Value) {
	if !isSection(v.Type()) {
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		if isSection(f.kind) {
			setDefaults(v.Field(f.index))
		} else if f.value != "" {
			if err := setText(v.Field(f.index), f.value); err != nil {
				panic(fmt.Sprintf("config: default of %s: %v", f.name, err))
			}
		}
	}
}

// setText sets a single value, or a list of values with commas between them, to what a text says.
func setText(v reflect.Value, text string) (err error) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Int:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
	case reflect.Uint32:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 32)
		v.SetUint(n)
	case reflect.Slice:
		for _, word := range words(text) {
			element := reflect.New(v.Type().Elem()).Elem()
			err = errors.Join(err, setText(element, word))
			v.Set(reflect.Append(v, element))
		}
	default:
		panic("config: no text of a " + v.Type().String())
	}
	return err
}

// texts returns a single value, or the values of a list, as texts.
func texts(v reflect.Value) (list []string) {
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			list = append(list, texts(v.Index(i))...)
		}
		return list
	}
	return []string{fmt.Sprint(v.Interface())}
}
